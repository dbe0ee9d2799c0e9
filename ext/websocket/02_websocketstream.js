// The WebSocketStream interface (https://github.com/whatwg/websockets/pull/48):
// a connection as a pair of streams, with backpressure in both directions.

import { core, primordials } from "ext:duplex_websocket/00_core.js";
import {
  checkProtocols,
  CLIENT_MEMBERS,
  connectionMembers,
  dial,
  handshakeRequest,
  parseUrl,
} from "ext:duplex_websocket/00_dial.js";
import {
  checkMembers,
  membersOf,
} from "ext:duplex_websocket/00_known_members.js";
import {
  ABNORMAL_CLOSURE,
  BACKLOG_LOW,
  CLOSED,
  CLOSING,
  CONNECTING,
  NO_ID,
  NORMAL_CLOSURE,
  OPEN,
} from "ext:duplex_websocket/00_numbers.js";
import {
  abortSignal,
  writableController,
} from "ext:duplex_websocket/00_prototypes.js";
import { checkClose } from "ext:duplex_websocket/00_sending.js";

// The ops are not imported from "ext:core/ops", because the functions that a
// snapshot holds have lost V8's fast calls.
const {
  op_ws_attach_pull,
  op_ws_backlog,
  op_ws_check_permission_and_cancel_handle,
  op_ws_close,
  op_ws_pull,
  op_ws_send_arraybuffer,
  op_ws_send_binary,
  op_ws_send_text,
  op_ws_set_stream_callbacks,
} = core.ops;

const { isAnyArrayBuffer, isArrayBuffer } = core;
const {
  ArrayBufferIsView,
  ArrayBufferPrototypeGetResizable,
  DataViewPrototypeGetBuffer,
  FunctionPrototypeCall,
  ObjectPrototypeIsPrototypeOf,
  PromisePrototypeThen,
  PromiseReject,
  PromiseResolve,
  PromiseWithResolvers,
  SafeFinalizationRegistry,
  SafeWeakRef,
  StringPrototypeToWellFormed,
  Symbol,
  SymbolFor,
  TypedArrayPrototypeGetBuffer,
  TypedArrayPrototypeGetSymbolToStringTag,
  TypeError,
  Uint8Array,
  WeakRefPrototypeDeref,
} = primordials;

const webidl = core.loadExtScript("ext:deno_webidl/00_webidl.js");
const { createFilteredInspectProxy } = core.loadExtScript(
  "ext:deno_web/01_console.js",
);
const { DOMException } = core.loadExtScript("ext:deno_web/01_dom_exception.js");
const {
  createReadableStream,
  readableStreamDefaultControllerClose,
  readableStreamDefaultControllerEnqueue,
  readableStreamDefaultControllerError,
  WritableStream,
} = core.loadExtScript("ext:deno_web/06_streams.js");

const _closeCode = Symbol("[[closeCode]]");
const _closed = Symbol("[[closed]]");
const _opened = Symbol("[[opened]]");
const _reason = Symbol("[[reason]]");
const _session = Symbol("[[session]]");
const _url = Symbol("[[url]]");

webidl.converters["WebSocketStreamOptions"] = webidl.createDictionaryConverter(
  "WebSocketStreamOptions",
  connectionMembers,
  [
    {
      key: "protocols",
      converter: webidl.converters["sequence<USVString>"],
      get defaultValue() {
        return [];
      },
    },
    { key: "signal", converter: webidl.converters["AbortSignal"] },
  ],
);

const STREAM_MEMBERS = membersOf(["signal"], CLIENT_MEMBERS);

webidl.converters["WebSocketCloseInfo"] = webidl.createDictionaryConverter(
  "WebSocketCloseInfo",
  [
    {
      key: "closeCode",
      converter: (V, prefix, context, opts) =>
        webidl.converters["unsigned short"](V, prefix, context, {
          ...opts,
          enforceRange: true,
        }),
    },
    {
      key: "reason",
      converter: webidl.converters.USVString,
      defaultValue: "",
    },
  ],
);

class WebSocketStream {
  constructor(url, options = undefined) {
    const prefix = "Failed to construct 'WebSocketStream'";
    webidl.requiredArguments(arguments.length, 1, prefix);
    url = webidl.converters.USVString(url, prefix, "Argument 1");
    if (webidl.type(options) === "Object") {
      checkMembers(options, STREAM_MEMBERS, prefix);
    }
    options = webidl.converters["WebSocketStreamOptions"](
      options,
      prefix,
      "Argument 2",
    );
    const parsed = parseUrl(url);
    const { protocols, signal } = options;
    checkProtocols(protocols);
    const request = handshakeRequest(parsed, protocols, options, prefix);
    const dialHandle = op_ws_check_permission_and_cancel_handle(
      "new WebSocketStream()",
      request.url,
    );

    this[webidl.brand] = webidl.brand;
    const session = initialize(this, request.url);
    const giveUp = () => {
      core.tryClose(dialHandle);
      giveUpOpening(session, FunctionPrototypeCall(abortSignal.reason, signal));
    };
    if (signal !== undefined) {
      // A signal that is not aborted has no reason.
      if (FunctionPrototypeCall(abortSignal.reason, signal) !== undefined) {
        giveUp();
        return;
      }
      FunctionPrototypeCall(abortSignal.add, signal, giveUp);
    }
    const forget = () => {
      if (signal !== undefined) {
        FunctionPrototypeCall(abortSignal.remove, signal, giveUp);
      }
    };
    session.dialHandle = dialHandle;
    PromisePrototypeThen(
      dial(dialHandle, request),
      ({ id, protocol, extensions }) => {
        forget();
        open(session, id, protocol, extensions);
      },
      (error) => {
        forget();
        failToOpen(session, `failed to connect to WebSocket: ${error.message}`);
      },
    );
  }

  get url() {
    webidl.assertBranded(this, WebSocketStreamPrototype);
    return this[_url];
  }

  get opened() {
    return promiseOf(this, _opened);
  }

  get closed() {
    return promiseOf(this, _closed);
  }

  close(closeInfo = undefined) {
    webidl.assertBranded(this, WebSocketStreamPrototype);
    const { closeCode, reason } = webidl.converters["WebSocketCloseInfo"](
      closeInfo,
      "Failed to execute 'close' on 'WebSocketStream'",
      "Argument 1",
    );
    const session = this[_session];
    checkClose(closeCode, reason, session.isServer);
    close(session, closeCode, reason);
  }

  [SymbolFor("Deno.privateCustomInspect")](inspect, inspectOptions) {
    return inspect(
      createFilteredInspectProxy({
        object: this,
        evaluate: ObjectPrototypeIsPrototypeOf(WebSocketStreamPrototype, this),
        keys: ["closed", "opened", "url"],
      }),
      inspectOptions,
    );
  }
}

webidl.configureInterface(WebSocketStream);
const WebSocketStreamPrototype = WebSocketStream.prototype;

class WebSocketError extends DOMException {
  constructor(message = "", init = undefined) {
    const prefix = "Failed to construct 'WebSocketError'";
    message = webidl.converters.DOMString(message, prefix, "Argument 1");
    const { closeCode, reason } = webidl.converters["WebSocketCloseInfo"](
      init,
      prefix,
      "Argument 2",
    );
    checkClose(closeCode, reason, false);
    super(message, "WebSocketError");
    // On the wire, a reason needs a code.
    this[_closeCode] = closeCode ?? (reason === "" ? null : NORMAL_CLOSURE);
    this[_reason] = reason;
  }

  get closeCode() {
    webidl.assertBranded(this, WebSocketErrorPrototype);
    return this[_closeCode];
  }

  get reason() {
    webidl.assertBranded(this, WebSocketErrorPrototype);
    return this[_reason];
  }
}

webidl.configureInterface(WebSocketError);
const WebSocketErrorPrototype = WebSocketError.prototype;

/** A WebSocketError with a code that a script may not pass. */
function connectionError(message, code, reason = "") {
  const error = new WebSocketError(message);
  error[_closeCode] = code;
  error[_reason] = reason;
  return error;
}

function closedError() {
  return new DOMException(
    "Cannot write to a closed WebSocketStream",
    "InvalidStateError",
  );
}

/** The value of an attribute whose type is a promise (Web IDL section 3.7.6). */
function promiseOf(stream, slot) {
  try {
    webidl.assertBranded(stream, WebSocketStreamPrototype);
  } catch (error) {
    return PromiseReject(error);
  }
  return stream[slot];
}

// A session is the state that a WebSocketStream, its readable and its writable
// have in common. Each of the three holds the session.
//
// The hub holds the handle of the session and not the session. The handle holds
// the session only while something can happen to it: while a message is asked
// for, while a write waits, or while the connection closes. If no object of the
// program can read or write any more, the engine collects the session, and the
// connection is closed.

/** Sets `stream` up in the state CONNECTING, and returns its session. */
function initialize(stream, url, isServer = false) {
  const opened = PromiseWithResolvers();
  const closed = PromiseWithResolvers();
  // A program that does not read `closed` gets no unhandled rejection, as with
  // the promises of streams.
  markHandled(closed.promise);
  const session = {
    __proto__: null,
    closing: null,
    dialHandle: undefined,
    handle: { __proto__: null, closed, id: NO_ID, session: null, weak: null },
    isServer,
    isWanted: false,
    isWritableDone: false,
    opened,
    pendingWrite: null,
    readable: undefined,
    readyState: CONNECTING,
    writable: undefined,
    writableError: undefined,
  };
  stream[_closed] = closed.promise;
  stream[_opened] = opened.promise;
  stream[_session] = session;
  stream[_url] = url;
  return session;
}

function markHandled(promise) {
  PromisePrototypeThen(promise, undefined, () => {});
}

const abandoned = new SafeFinalizationRegistry((handle) => {
  if (handle.id !== NO_ID) {
    op_ws_close(handle.id, 0, "");
  }
});

/** The session's connection is open. */
function open(session, id, protocol, extensions) {
  if (!hasCallbacks) {
    hasCallbacks = true;
    op_ws_set_stream_callbacks(onMessage, onClosing, onClosed, onDrained);
  }
  const { handle } = session;
  handle.id = id;
  op_ws_attach_pull(id, handle);
  if (session.readyState !== CONNECTING) {
    // The script gave the connection up in between.
    op_ws_close(id, 0, "");
    return;
  }
  session.readyState = OPEN;
  handle.weak = new SafeWeakRef(session);
  abandoned.register(session, handle);
  const readable = createReadable(session);
  const writable = createWritable(session);
  session.opened.resolve({ extensions, protocol, readable, writable });
}

let hasCallbacks = false;

/** The session will have no connection, for the reason in `message`. */
function failToOpen(session, message) {
  if (session.readyState === CONNECTING) {
    session.readyState = CLOSED;
    if (session.isServer) {
      // A client that goes away is not an error of the server's program.
      markHandled(session.opened.promise);
    }
    session.opened.reject(new WebSocketError(message));
    session.handle.closed.reject(connectionError(message, ABNORMAL_CLOSURE));
  }
}

/** The script has aborted the dial with `reason`. */
function giveUpOpening(session, reason) {
  session.readyState = CLOSED;
  markHandled(session.opened.promise);
  session.opened.reject(reason);
  session.handle.closed.reject(reason);
}

/** Closes with a code and a reason that may be sent. */
function close(session, code, reason) {
  if (session.readyState === CONNECTING) {
    if (session.dialHandle !== undefined) {
      core.tryClose(session.dialHandle);
    }
    markHandled(session.opened.promise);
    failToOpen(
      session,
      "WebSocketStream is closed before the connection is established",
    );
    return;
  }
  if (session.readyState !== OPEN) {
    return;
  }
  session.readyState = CLOSING;
  session.handle.session = session;
  op_ws_close(session.handle.id, code ?? 0, reason);
  // Nothing is sent after the Close frame.
  endWritable(session, closedError());
}

/** Closes because a stream was cancelled or aborted with `reason`. */
function closeUsingReason(session, reason) {
  let code;
  let text = "";
  if (
    ObjectPrototypeIsPrototypeOf(WebSocketErrorPrototype, reason) &&
    reason[webidl.brand] === webidl.brand
  ) {
    code = reason[_closeCode] ?? undefined;
    text = reason[_reason];
    try {
      checkClose(code, text, session.isServer);
    } catch {
      // The error tells the end of another connection, with a code that may not
      // be sent.
      code = undefined;
      text = "";
    }
  }
  close(session, code, text);
}

/** Ends the writable with `error`, unless the script has ended it itself. */
function endWritable(session, error) {
  if (!session.isWritableDone) {
    session.isWritableDone = true;
    session.writableError = error;
    FunctionPrototypeCall(writableController.error, session.writable, error);
  }
}

// Reading.

function createReadable(session) {
  const { handle } = session;
  return createReadableStream(
    (controller) => {
      session.readable = controller;
    },
    // This returns no promise, because onMessage() brings the message.
    () => {
      if (session.readyState === OPEN) {
        session.isWanted = true;
        handle.session = session;
        op_ws_pull(handle.id);
      }
    },
    (reason) => {
      closeUsingReason(session, reason);
      return PromiseResolve(undefined);
    },
  );
}

/** The hub delivers the message that the script asked for. */
function onMessage(handle, data) {
  const { session } = handle;
  session.isWanted = false;
  readableStreamDefaultControllerEnqueue(
    session.readable,
    typeof data === "string" ? data : new Uint8Array(data),
  );
  letGo(session);
}

/**
 * Lets the handle release a session to which nothing can happen. The session
 * lives on if the script holds it.
 */
function letGo(session) {
  if (
    !session.isWanted && session.pendingWrite === null &&
    session.readyState === OPEN
  ) {
    session.handle.session = null;
  }
}

// Writing.

function createWritable(session) {
  return new WritableStream({
    __proto__: null,
    start(controller) {
      session.writable = controller;
      const signal = FunctionPrototypeCall(
        writableController.signal,
        controller,
      );
      FunctionPrototypeCall(abortSignal.add, signal, () => {
        if (session.pendingWrite !== null) {
          // The stream would wait for the write, and the write may wait for a
          // peer that does not read.
          const reason = FunctionPrototypeCall(abortSignal.reason, signal);
          session.isWritableDone = true;
          closeUsingReason(session, reason);
          rejectWrite(session, reason);
        }
      });
    },
    write: (chunk) => write(session, chunk),
    close() {
      session.isWritableDone = true;
      session.closing = PromiseWithResolvers();
      close(session, undefined, "");
      return session.closing.promise;
    },
    abort(reason) {
      session.isWritableDone = true;
      closeUsingReason(session, reason);
    },
  });
}

/**
 * Sends a message. Returns a promise to wait for if many bytes are not written
 * yet.
 */
function write(session, chunk) {
  const data = convertChunk(chunk);
  const { handle } = session;
  if (typeof data === "string") {
    op_ws_send_text(handle.id, data);
  } else if (isArrayBuffer(data)) {
    op_ws_send_arraybuffer(handle.id, data);
  } else {
    op_ws_send_binary(handle.id, data);
  }
  if (op_ws_backlog(handle.id) === BACKLOG_LOW) {
    return undefined;
  }
  // The promise is settled when the hub tells that the bytes are written, or
  // how the connection ended.
  handle.session = session;
  session.pendingWrite = PromiseWithResolvers();
  return session.pendingWrite.promise;
}

/** Converts to (BufferSource or USVString). */
function convertChunk(chunk) {
  if (typeof chunk === "string") {
    // QuickJS would turn a lone surrogate into three U+FFFD on its way to Rust.
    return StringPrototypeToWellFormed(chunk);
  }
  const prefix = "Failed to write to a WebSocketStream";
  if (typeof chunk !== "object" || chunk === null) {
    return webidl.converters.USVString(chunk, prefix, "Chunk");
  }
  let buffer = chunk;
  if (ArrayBufferIsView(chunk)) {
    webidl.converters["ArrayBufferView"](chunk, prefix, "Chunk");
    buffer = TypedArrayPrototypeGetSymbolToStringTag(chunk) === undefined
      ? DataViewPrototypeGetBuffer(chunk)
      : TypedArrayPrototypeGetBuffer(chunk);
  } else if (isAnyArrayBuffer(chunk)) {
    webidl.converters["ArrayBuffer"](chunk, prefix, "Chunk");
  } else {
    return webidl.converters.USVString(chunk, prefix, "Chunk");
  }
  if (ArrayBufferPrototypeGetResizable(buffer)) {
    throw webidl.makeException(
      TypeError,
      "is on a resizable ArrayBuffer, which is not allowed",
      prefix,
      "Chunk",
    );
  }
  return chunk;
}

/** The hub tells that enough of the sent bytes are written. */
function onDrained(handle) {
  const { session } = handle;
  const { pendingWrite } = session;
  session.pendingWrite = null;
  letGo(session);
  // There is no write if abort() was quicker.
  pendingWrite?.resolve(undefined);
}

/** Rejects a write that waits, because it will not be finished. */
function rejectWrite(session, error) {
  const { pendingWrite } = session;
  session.pendingWrite = null;
  pendingWrite?.reject(error);
}

// The end.

/** The session, unless it was collected or never opened. */
function sessionOf(handle) {
  return handle.session ??
    (handle.weak === null ? undefined : WeakRefPrototypeDeref(handle.weak));
}

/**
 * The hub tells that the closing handshake has begun, and that the script did
 * not begin it.
 */
function onClosing(handle) {
  const session = sessionOf(handle);
  if (session?.readyState === OPEN) {
    session.readyState = CLOSING;
    handle.session = session;
    readableStreamDefaultControllerClose(session.readable);
    // A write that waits is settled when the connection ends.
    endWritable(session, closedError());
  }
}

/** The hub tells how the connection ended. */
function onClosed(handle, code, reason, wasClean, message) {
  const session = sessionOf(handle);
  if (!wasClean && message === undefined && code !== ABNORMAL_CLOSURE) {
    // The peer's Close frame came before a write was finished.
    onClosing(handle);
  }
  handle.id = NO_ID;
  handle.session = null;
  if (wasClean) {
    handle.closed.resolve({ closeCode: code, reason });
    if (session !== undefined) {
      session.readyState = CLOSED;
      readableStreamDefaultControllerClose(session.readable);
      endWritable(session, closedError());
      rejectWrite(session, session.writableError);
      session.closing?.resolve(undefined);
    }
    return;
  }
  const error = connectionError(
    message ?? "The connection was not closed cleanly",
    code,
    reason,
  );
  handle.closed.reject(error);
  if (session !== undefined) {
    session.readyState = CLOSED;
    readableStreamDefaultControllerError(session.readable, error);
    endWritable(session, error);
    session.closing?.reject(error);
    // The write is also rejected if the peer closed before it had read the
    // message.
    rejectWrite(session, error);
  }
}

// For servers.

/** A stream whose opening handshake is being answered. */
function createServerWebSocketStream() {
  const stream = webidl.createBranded(WebSocketStream);
  initialize(stream, "", true);
  return stream;
}

/**
 * The handshake was answered. Gives the connection `id` to the stream, with the
 * subprotocol that the server picked and the extensions that were agreed on.
 */
function openServerWebSocketStream(stream, id, protocol, extensions = "") {
  open(stream[_session], id, protocol, extensions);
}

/** The handshake was not answered, for the reason in `message`. */
function failServerWebSocketStream(stream, message) {
  failToOpen(stream[_session], message);
}

export {
  createServerWebSocketStream,
  failServerWebSocketStream,
  openServerWebSocketStream,
  WebSocketError,
  WebSocketStream,
};
