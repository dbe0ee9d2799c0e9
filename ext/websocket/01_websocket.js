// The WebSocket interface (https://websockets.spec.whatwg.org/), for scripts
// that dial and for servers that accept.

import { core, primordials } from "ext:core/mod.js";
import { CloseEvent } from "ext:duplex_websocket/00_close_event.js";
import {
  convertLimits,
  convertPerMessageDeflate,
  convertTimeouts,
} from "ext:duplex_websocket/00_options.js";
import {
  blobSize,
  headers as headersPrototype,
  url as urlPrototype,
} from "ext:duplex_websocket/00_prototypes.js";
import {
  checkMembers,
  membersOf,
} from "ext:duplex_websocket/00_known_members.js";

const { internalRidSymbol, isAnyArrayBuffer, isArrayBuffer } = core;
const {
  ArrayBufferIsView,
  ArrayBufferPrototypeGetByteLength,
  ArrayPrototypeIndexOf,
  ArrayPrototypeMap,
  ArrayPrototypePush,
  ArrayPrototypeShift,
  ArrayPrototypeSome,
  ArrayPrototypeSplice,
  DataViewPrototypeGetByteLength,
  Error,
  ErrorPrototypeToString,
  FunctionPrototypeCall,
  Number,
  ObjectCreate,
  ObjectDefineProperties,
  ObjectDefineProperty,
  ObjectFreeze,
  ObjectGetOwnPropertyDescriptor,
  ObjectGetOwnPropertySymbols,
  ObjectPrototypeIsPrototypeOf,
  PromisePrototypeThen,
  RangeError,
  RegExpPrototypeExec,
  SafeRegExp,
  SafeSet,
  SetPrototypeGetSize,
  Symbol,
  SymbolFor,
  SymbolIterator,
  SymbolPrototypeGetDescription,
  SymbolToStringTag,
  StringPrototypeSplit,
  StringPrototypeStartsWith,
  StringPrototypeToLowerCase,
  StringPrototypeToWellFormed,
  TypedArrayPrototypeGetByteLength,
  TypedArrayPrototypeGetLength,
  TypedArrayPrototypeGetSymbolToStringTag,
  TypedArrayPrototypeSubarray,
  TypeError,
  Uint8Array,
} = primordials;

const webidl = core.loadExtScript("ext:deno_webidl/00_webidl.js");
const { URL } = core.loadExtScript("ext:deno_web/00_url.js");
const { forgivingBase64Encode, HTTP_TOKEN_CODE_POINT_RE } = core.loadExtScript(
  "ext:deno_web/00_infra.js",
);
const { createFilteredInspectProxy } = core.loadExtScript(
  "ext:deno_web/01_console.js",
);
const { DOMException } = core.loadExtScript("ext:deno_web/01_dom_exception.js");
const {
  dispatch,
  ErrorEvent,
  Event,
  EventTarget,
  eventTargetData,
  MessageEvent,
  reportException,
  setIsTrusted,
} = core.loadExtScript("ext:deno_web/02_event.js");
const { Blob, BlobPrototype } = core.loadExtScript("ext:deno_web/09_file.js");
const { getLocationHref } = core.loadExtScript("ext:deno_web/12_location.js");
const { fillHeaders, headerListFromHeaders, headersFromHeaderList } = core
  .loadExtScript("ext:deno_fetch/20_headers.js");
const { HttpClientPrototype } = core.loadExtScript(
  "ext:deno_fetch/22_http_client.js",
);

const CONNECTING = 0;
const OPEN = 1;
const CLOSING = 2;
const CLOSED = 3;

/** Where a socket keeps its {@linkcode Slots}. */
const _slots = Symbol("[[slots]]");

const customInspect = SymbolFor("Deno.privateCustomInspect");

/** The id of a socket that has no connection. */
const NO_ID = -1;

/** What a client may say of its connection, beside the protocols it offers. */
const connectionMembers = [
  { key: "headers", converter: webidl.converters["HeadersInit"] },
  { key: "client", converter: webidl.converters.any },
  {
    key: "perMessageDeflate",
    converter: webidl.converters.any,
    defaultValue: true,
  },
  { key: "maxPayloadLength", converter: webidl.converters.any },
  { key: "maxFragments", converter: webidl.converters.any },
  { key: "maxControlFrames", converter: webidl.converters.any },
  { key: "backpressureLimit", converter: webidl.converters.any },
  { key: "closeTimeout", converter: webidl.converters.any },
  { key: "leastProgress", converter: webidl.converters.any },
  { key: "connectTimeout", converter: webidl.converters.any },
  { key: "handshakeTimeout", converter: webidl.converters.any },
];

webidl.converters["WebSocketInit"] = webidl.createDictionaryConverter(
  "WebSocketInit",
  connectionMembers,
  [
    {
      key: "protocols",
      converter: (V, prefix, context, opts) =>
        webidl.type(V) === "Object"
          ? webidl.converters["sequence<DOMString>"](V, prefix, context, opts)
          : [webidl.converters.DOMString(V, prefix, context, opts)],
    },
  ],
);

const OTHER_CLIENTS = {
  __proto__: null,
  agent: "use `client`, a Deno.createHttpClient({ … })",
  ca: "use `client`, a Deno.createHttpClient({ caCerts })",
  followRedirects: "a handshake follows no redirect",
  header: "use `headers`",
  origin: "use `headers: { origin }`",
  protocol: "use `protocols`",
  proxy: "use `client`, a Deno.createHttpClient({ proxy })",
  rejectUnauthorized: "use the flag --unsafely-ignore-certificate-errors",
  tls: "use `client`, a Deno.createHttpClient({ caCerts, cert, key })",
};
const CLIENT_MEMBERS = membersOf(
  ArrayPrototypeMap(connectionMembers, ({ key }) => key),
  { __proto__: null, ...OTHER_CLIENTS, protocols: true },
);

/** Converts the second argument of the constructor to a `WebSocketInit`. */
function convertInit(value, prefix) {
  const context = "Argument 2";
  if (value === undefined || value === null) {
    return { __proto__: null };
  }
  if (webidl.type(value) !== "Object") {
    const protocol = webidl.converters.DOMString(value, prefix, context);
    return { __proto__: null, protocols: [protocol] };
  }
  const iterator = value[SymbolIterator];
  if (iterator !== undefined && iterator !== null) {
    return {
      __proto__: null,
      protocols: webidl.converters["sequence<DOMString>"](
        value,
        prefix,
        context,
      ),
    };
  }
  checkMembers(value, CLIENT_MEMBERS, prefix);
  return webidl.converters["WebSocketInit"](value, prefix, context);
}

/** The URL to dial, by the standard's "get a URL record". */
function parseUrl(url) {
  let parsed;
  try {
    parsed = new URL(url, getLocationHref());
  } catch (error) {
    throw new DOMException(error.message, "SyntaxError");
  }
  let protocol = FunctionPrototypeCall(urlPrototype.protocol, parsed);
  if (protocol === "http:" || protocol === "https:") {
    protocol = protocol === "http:" ? "ws:" : "wss:";
    FunctionPrototypeCall(urlPrototype.setProtocol, parsed, protocol);
  }
  if (protocol !== "ws:" && protocol !== "wss:") {
    throw new DOMException(
      `Only ws & wss schemes are allowed in a WebSocket URL: received ${protocol}`,
      "SyntaxError",
    );
  }
  const href = FunctionPrototypeCall(urlPrototype.href, parsed);
  if (
    FunctionPrototypeCall(urlPrototype.hash, parsed) !== "" ||
    href[href.length - 1] === "#"
  ) {
    throw new DOMException(
      "Fragments are not allowed in a WebSocket URL",
      "SyntaxError",
    );
  }
  return parsed;
}

/**
 * Throws where the program may not open an insecure connection to the host (Mixed
 * Content section 4.4).
 */
function checkMixedContent(url) {
  const location = getLocationHref();
  if (
    FunctionPrototypeCall(urlPrototype.protocol, url) === "ws:" &&
    location !== undefined &&
    StringPrototypeStartsWith(originOfUrl(location), "https:") &&
    RegExpPrototypeExec(
        LOOPBACK_RE,
        FunctionPrototypeCall(urlPrototype.hostname, url),
      ) === null
  ) {
    const href = FunctionPrototypeCall(urlPrototype.href, url);
    throw new DOMException(
      `A program whose location is https: may not open an insecure WebSocket: use wss: in place of ${href}`,
      "SecurityError",
    );
  }
}

/** Hosts that need no TLS to be trusted (Secure Contexts section 3.1). */
const LOOPBACK_RE = new SafeRegExp(
  /^(?:127(?:\.\d+){3}|\[::1\]|(?:[^.]+\.)*localhost\.?)$/,
);

function checkProtocols(protocols) {
  const distinct = new SafeSet(
    ArrayPrototypeMap(protocols, (name) => StringPrototypeToLowerCase(name)),
  );
  if (SetPrototypeGetSize(distinct) !== protocols.length) {
    throw new DOMException(
      "Cannot supply the same protocol multiple times",
      "SyntaxError",
    );
  }
  const isInvalid = (name) =>
    RegExpPrototypeExec(HTTP_TOKEN_CODE_POINT_RE, name) === null;
  if (ArrayPrototypeSome(protocols, isInvalid)) {
    throw new DOMException("Invalid protocol value", "SyntaxError");
  }
}

/**
 * The headers to add to the handshake, as a list of pairs. Credentials in the
 * URL become an Authorization header and leave the URL, the program's location
 * becomes an Origin header; those that are in `init` come first.
 */
function handshakeHeaders(url, init) {
  const origin = originOfProgram();
  const username = FunctionPrototypeCall(urlPrototype.username, url);
  const password = FunctionPrototypeCall(urlPrototype.password, url);
  const hasCredentials = username !== "" || password !== "";
  if (init === undefined && !hasCredentials) {
    return origin === undefined ? [] : [["Origin", origin]];
  }
  const headers = headersFromHeaderList([], "request");
  if (init !== undefined) {
    fillHeaders(headers, init);
  }
  const has = (name) =>
    FunctionPrototypeCall(headersPrototype.get, headers, name) !== null;
  if (origin !== undefined && !has("origin")) {
    FunctionPrototypeCall(headersPrototype.set, headers, "Origin", origin);
  }
  if (hasCredentials) {
    FunctionPrototypeCall(urlPrototype.setUsername, url, "");
    FunctionPrototypeCall(urlPrototype.setPassword, url, "");
    if (!has("authorization")) {
      const credentials = percentDecode(`${username}:${password}`);
      FunctionPrototypeCall(
        headersPrototype.set,
        headers,
        "authorization",
        `Basic ${forgivingBase64Encode(credentials)}`,
      );
    }
  }
  return headerListFromHeaders(headers);
}

/** The origin to tell servers (RFC 6454 section 7), if the program has a location. */
function originOfProgram() {
  const location = getLocationHref();
  // Where a program was loaded from is no address of it.
  if (location === undefined || StringPrototypeStartsWith(location, "file:")) {
    return undefined;
  }
  return originOfUrl(location);
}

function originOfUrl(url) {
  return FunctionPrototypeCall(urlPrototype.origin, new URL(url));
}

/** The bytes of a part of a URL (URL section 1.3). */
function percentDecode(text) {
  const bytes = core.encode(text);
  const encodedLength = TypedArrayPrototypeGetLength(bytes);
  let length = 0;
  for (let i = 0; i < encodedLength; i++) {
    const byte = bytes[i];
    const high = byte === 0x25 ? hexDigit(bytes[i + 1]) : -1;
    const low = high === -1 ? -1 : hexDigit(bytes[i + 2]);
    if (low === -1) {
      bytes[length++] = byte;
    } else {
      bytes[length++] = high * 16 + low;
      i += 2;
    }
  }
  return TypedArrayPrototypeSubarray(bytes, 0, length);
}

function hexDigit(byte) {
  if (byte >= 0x30 && byte <= 0x39) {
    return byte - 0x30;
  }
  const letter = byte | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
}

/**
 * What is dialled with, where the program may dial it; `init` has of
 * `connectionMembers` what it likes.
 */
function handshakeRequest(url, protocols, init, prefix) {
  checkMixedContent(url);
  const client = init.client ?? null;
  if (
    client !== null &&
    !ObjectPrototypeIsPrototypeOf(HttpClientPrototype, client)
  ) {
    throw webidl.makeException(
      TypeError,
      "`client` must be a Deno.HttpClient",
      prefix,
      "Argument 2",
    );
  }
  const deflate = convertPerMessageDeflate(
    init.perMessageDeflate ?? true,
    prefix,
  );
  const limits = convertLimits(init, prefix);
  const timeouts = convertTimeouts(init, prefix);
  const headers = handshakeHeaders(url, init.headers);
  return {
    // Without the credentials, which are in the headers now.
    url: FunctionPrototypeCall(urlPrototype.href, url),
    protocols,
    headers,
    client: client === null ? null : client[internalRidSymbol],
    deflate,
    limits,
    timeouts,
  };
}

/**
 * Connects to the URL that `dialHandle` was made for, and shakes hands; closing it gives
 * that up. Resolves with `{ id, protocol, extensions }` of the connection.
 */
function dial(dialHandle, request) {
  start();
  const { protocols, headers, client, deflate, limits, timeouts } = request;
  return op_ws_create(
    protocols,
    headers,
    dialHandle,
    client,
    deflate,
    limits,
    timeouts,
  );
}

/** What a script is told where there is no connection. */
function dialError(error) {
  // That the script closed the socket is told as Deno does.
  return error.code === "EINTR" ? error : new DOMException(
    `failed to connect to WebSocket: ${error.message}`,
    "NetworkError",
  );
}

let ops;
let op_ws_attach;
let op_ws_buffered_amount;
let op_ws_check_permission;
let op_ws_close;
let op_ws_create;
let op_ws_publish_text;
let op_ws_send_arraybuffer;
let op_ws_send_binary;
let op_ws_send_text;
let runMicrotasks;

/**
 * What can be handed to an op that sends text. QuickJS would turn a lone surrogate into
 * three U+FFFD on its way to Rust; V8 makes it one, and looks at each string anyway.
 */
let toSendable = (text) => text;

/** Makes connections possible; nothing before the first socket needs it. */
function start() {
  if (ops !== undefined) {
    return;
  }
  core.loadExtScript("ext:duplex_websocket/00_ops.js");
  ops = core.ops;
  op_ws_attach = ops.op_ws_attach;
  op_ws_buffered_amount = ops.op_ws_buffered_amount;
  op_ws_check_permission = ops.op_ws_check_permission;
  op_ws_close = ops.op_ws_close;
  op_ws_create = ops.op_ws_create;
  op_ws_publish_text = ops.op_ws_publish_text;
  op_ws_send_arraybuffer = ops.op_ws_send_arraybuffer;
  op_ws_send_binary = ops.op_ws_send_binary;
  op_ws_send_text = ops.op_ws_send_text;
  if (!ops.op_ws_takes_any_text()) {
    toSendable = (text) => StringPrototypeToWellFormed(text);
  }
  runMicrotasks = ops.op_ws_set_callbacks(
    onMessage,
    onMessages,
    onClosing,
    onClosed,
    onDrained,
    onControl,
  );
}

/**
 * All that a socket has, like the internal slots of the standard: a script may freeze the
 * socket. An engine makes room for what stands here, and looks up in a table what comes later.
 */
function Slots() {
  this.binaryType = "blob";
  this.blobs = null;
  this.closeRequest = null;
  this.dialHandle = undefined;
  this.extensions = "";
  this.handlers = null;
  this.id = NO_ID;
  this.isRef = true;
  this.isServer = false;
  this.listenerData = undefined;
  this.origin = "";
  this.peer = null;
  this.protocol = "";
  this.readyState = CONNECTING;
  this.remoteAddr = undefined;
  // Bytes that were handed to send() after the end.
  this.unsent = 0;
  this.url = "";
  this.webSocketHandler = null;
}
Slots.prototype = ObjectCreate(null);

/** What has the constructor make a socket that does not dial. */
const ACCEPTED = Symbol("accepted");

class WebSocket extends EventTarget {
  constructor(url, protocols = undefined) {
    super();
    start();
    this[webidl.brand] = webidl.brand;
    this[_slots] = new Slots();
    if (url === ACCEPTED) {
      return;
    }

    const prefix = "Failed to construct 'WebSocket'";
    webidl.requiredArguments(arguments.length, 1, prefix);
    url = webidl.converters.USVString(url, prefix, "Argument 1");
    const init = convertInit(protocols, prefix);
    const parsed = parseUrl(url);
    this[_slots].url = FunctionPrototypeCall(urlPrototype.href, parsed);
    const offered = init.protocols ?? [];
    checkProtocols(offered);
    const request = handshakeRequest(parsed, offered, init, prefix);

    const protocol = FunctionPrototypeCall(urlPrototype.protocol, parsed);
    this[_slots].origin = `${protocol}//${
      FunctionPrototypeCall(urlPrototype.host, parsed)
    }`;
    this[_slots].dialHandle = op_ws_check_permission(
      "new WebSocket()",
      request.url,
    );
    PromisePrototypeThen(
      dial(this[_slots].dialHandle, request),
      ({ id, protocol, extensions }) => {
        this[_slots].dialHandle = undefined;
        this[_slots].protocol = protocol;
        this[_slots].extensions = extensions;
        open(this, id);
      },
      (error) => {
        this[_slots].dialHandle = undefined;
        failToOpen(this, dialError(error));
      },
    );
  }

  get url() {
    webidl.assertBranded(this, WebSocketPrototype);
    return this[_slots].url;
  }

  get readyState() {
    webidl.assertBranded(this, WebSocketPrototype);
    return this[_slots].readyState;
  }

  get bufferedAmount() {
    webidl.assertBranded(this, WebSocketPrototype);
    const { id, unsent } = this[_slots];
    return id === NO_ID ? unsent : unsent + op_ws_buffered_amount(id);
  }

  get extensions() {
    webidl.assertBranded(this, WebSocketPrototype);
    return this[_slots].extensions;
  }

  get protocol() {
    webidl.assertBranded(this, WebSocketPrototype);
    return this[_slots].protocol;
  }

  get binaryType() {
    webidl.assertBranded(this, WebSocketPrototype);
    return this[_slots].binaryType;
  }

  set binaryType(value) {
    webidl.assertBranded(this, WebSocketPrototype);
    value = webidl.converters.DOMString(
      value,
      "Failed to set 'binaryType' on 'WebSocket'",
    );
    // A value that is not of the enumeration is ignored (Web IDL).
    if (value === "blob" || value === "arraybuffer") {
      this[_slots].binaryType = value;
    }
  }

  /**
   * A server's socket says besides what became of the message, in the numbers of Bun:
   * how many bytes it has, 1 at least, where it was taken; -1 where the kernel takes no
   * more for now and it is queued; 0 where it was refused, for the socket is closing or
   * more than `backpressureLimit` is queued.
   */
  send(data) {
    webidl.assertBranded(this, WebSocketPrototype);
    if (typeof data === "string") {
      data = toSendable(data);
    } else {
      const prefix = "Failed to execute 'send' on 'WebSocket'";
      webidl.requiredArguments(arguments.length, 1, prefix);
      data = convertData(data, prefix);
    }
    const slots = this[_slots];
    const sent = slots.readyState === OPEN
      ? transmit(slots, data)
      : countUnsent(slots, data);
    if (slots.isServer) {
      return sent === SENT_CLOSED ? 0 : sent;
    }
    // The standard says so.
    return undefined;
  }

  close(code = undefined, reason = undefined) {
    webidl.assertBranded(this, WebSocketPrototype);
    const prefix = "Failed to execute 'close' on 'WebSocket'";
    if (code !== undefined) {
      code = webidl.converters["unsigned short"](code, prefix, "Argument 1", {
        clamp: true,
      });
    }
    if (reason !== undefined) {
      reason = webidl.converters.USVString(reason, prefix, "Argument 2");
    }
    checkClose(code, reason, this[_slots].isServer);
    if (this[_slots].readyState > OPEN) {
      return;
    }
    const request = { code: code ?? 0, reason: reason ?? "" };
    if (this[_slots].readyState === CONNECTING) {
      this[_slots].readyState = CLOSING;
      if (this[_slots].dialHandle !== undefined) {
        core.tryClose(this[_slots].dialHandle);
      }
      this[_slots].closeRequest = request;
      return;
    }
    this[_slots].readyState = CLOSING;
    op_ws_close(this[_slots].id, request.code, request.reason);
  }

  /**
   * Sends a Ping (RFC 6455 section 5.5.2) with at most 125 bytes. Returns what `send()`
   * does. The answer is an event `pong`.
   */
  ping(data = undefined) {
    webidl.assertBranded(this, WebSocketPrototype);
    const prefix = "Failed to execute 'ping' on 'WebSocket'";
    return sendControl(this, false, convertPayload(data, prefix));
  }

  /** Sends a Pong that no Ping asked for; those that did are answered already. */
  pong(data = undefined) {
    webidl.assertBranded(this, WebSocketPrototype);
    const prefix = "Failed to execute 'pong' on 'WebSocket'";
    return sendControl(this, true, convertPayload(data, prefix));
  }

  /** Drops the connection without a close handshake; a `close` event follows. */
  terminate() {
    webidl.assertBranded(this, WebSocketPrototype);
    if (this[_slots].readyState === CLOSED) {
      return;
    }
    if (
      this[_slots].readyState === CONNECTING &&
      this[_slots].dialHandle !== undefined
    ) {
      core.tryClose(this[_slots].dialHandle);
    }
    this[_slots].readyState = CLOSING;
    this[_slots].closeRequest = { terminate: true };
    if (this[_slots].id !== NO_ID) {
      ops.op_ws_terminate(this[_slots].id);
    }
  }

  /** Has the socket keep the program going, as it does by default. */
  ref() {
    webidl.assertBranded(this, WebSocketPrototype);
    setRef(this, true);
  }

  /** Lets the program end while the socket is open. */
  unref() {
    webidl.assertBranded(this, WebSocketPrototype);
    setRef(this, false);
  }

  [customInspect](inspect, inspectOptions) {
    return inspect(
      createFilteredInspectProxy({
        object: this,
        evaluate: ObjectPrototypeIsPrototypeOf(WebSocketPrototype, this),
        keys: [
          "url",
          "readyState",
          "extensions",
          "protocol",
          "binaryType",
          "bufferedAmount",
          "onmessage",
          "onerror",
          "onclose",
          "onopen",
        ],
      }),
      inspectOptions,
    );
  }
}

const constants = {
  CONNECTING: { __proto__: null, value: CONNECTING, enumerable: true },
  OPEN: { __proto__: null, value: OPEN, enumerable: true },
  CLOSING: { __proto__: null, value: CLOSING, enumerable: true },
  CLOSED: { __proto__: null, value: CLOSED, enumerable: true },
};
ObjectDefineProperties(WebSocket, constants);
ObjectDefineProperties(WebSocket.prototype, constants);

webidl.configureInterface(WebSocket);
const WebSocketPrototype = WebSocket.prototype;

// A socket is neither serializable nor transferable: no message can hold one,
// however deep. Structured cloning calls this for an object that has it.
ObjectDefineProperty(WebSocketPrototype, core.hostObjectBrand, {
  __proto__: null,
  value() {
    throw new DOMException(
      "A WebSocket cannot be cloned.",
      "DataCloneError",
    );
  },
});
/** The server's end, which knows the others of its server. */
class ServerWebSocket extends WebSocket {
  constructor(protocol, peer, handler) {
    super(ACCEPTED);
    // As in Deno: a Blob would cost a server a turn for each message.
    this[_slots].binaryType = "arraybuffer";
    this[_slots].isServer = true;
    this[_slots].protocol = protocol;
    this[_slots].peer = peer;
    this[_slots].remoteAddr = null;
    this[_slots].webSocketHandler = handler;
  }

  /** The address of the client, as `Deno.serve` tells it. */
  get remoteAddr() {
    webidl.assertBranded(this, ServerWebSocketPrototype);
    return this[_slots].remoteAddr ??= readRemoteAddr(this);
  }

  /**
   * Subscribes to a topic of the server. Returns whether it was not; with `since`, what
   * came of replaying what was published since then.
   */
  subscribe(topic, options = undefined) {
    const prefix = "Failed to execute 'subscribe' on 'WebSocket'";
    const name = topicOf(this, arguments.length, topic, prefix);
    if (typeof options === "object" && options !== null) {
      const { since } = options;
      if (since !== undefined) {
        return subscribeSince(this[_slots].id, name, since, prefix);
      }
    }
    return this[_slots].id !== NO_ID &&
      ops.op_ws_subscribe(this[_slots].id, name);
  }

  /** Ends a subscription. Returns whether there was one. */
  unsubscribe(topic) {
    const prefix = "Failed to execute 'unsubscribe' on 'WebSocket'";
    const name = topicOf(this, arguments.length, topic, prefix);
    return this[_slots].id !== NO_ID &&
      ops.op_ws_unsubscribe(this[_slots].id, name);
  }

  isSubscribed(topic) {
    const prefix = "Failed to execute 'isSubscribed' on 'WebSocket'";
    const name = topicOf(this, arguments.length, topic, prefix);
    return this[_slots].id !== NO_ID &&
      ops.op_ws_is_subscribed(this[_slots].id, name);
  }

  /** The topics, in the order of their subscriptions. */
  get subscriptions() {
    webidl.assertBranded(this, ServerWebSocketPrototype);
    return this[_slots].id === NO_ID
      ? []
      : ops.op_ws_subscriptions(this[_slots].id);
  }

  /**
   * Sends a message to all other subscribers of a topic. Returns what `send()` does: -1
   * where some subscriber's kernel takes no more for now, 0 where nobody took it.
   */
  publish(topic, data) {
    const prefix = "Failed to execute 'publish' on 'WebSocket'";
    const name = topicOf(this, arguments.length, topic, prefix);
    data = convertPublished(arguments.length, data, prefix);
    if (this[_slots].id === NO_ID) {
      return 0;
    }
    return typeof data === "string"
      ? op_ws_publish_text(this[_slots].id, name, data)
      : ops.op_ws_publish_binary(this[_slots].id, name, data);
  }
}

function subscribeSince(id, topic, since, prefix) {
  if (since !== null && typeof since !== "string") {
    const { epoch, offset } = since;
    since = `${epoch}-${offset}`;
  }
  const { 0: outcome, 1: position } = id === NO_ID
    ? [SUBSCRIBE_ENDED, ""]
    : ops.op_ws_subscribe_since(id, topic, since);
  if (outcome === SUBSCRIBE_NO_HISTORY) {
    throw new TypeError(
      `${prefix}: since needs a server with the option topics.history`,
    );
  }
  if (outcome === SUBSCRIBE_ENDED) {
    return { recovered: false, position: null };
  }
  return {
    recovered: outcome === SUBSCRIBE_RECOVERED,
    position: positionOf(position),
  };
}

/** A position as scripts have it, of how it is written. */
function positionOf(text) {
  const { 0: epoch, 1: offset } = StringPrototypeSplit(text, "-");
  return { epoch, offset: Number(offset) };
}

// What came of subscribing with `since`, as op_ws_subscribe_since numbers it.
const SUBSCRIBE_RECOVERED = 1;
const SUBSCRIBE_NO_HISTORY = 2;
const SUBSCRIBE_ENDED = 3;

function readRemoteAddr(socket) {
  const peer = socket[_slots].peer;
  if (socket[_slots].id === NO_ID) {
    return peer?.remoteAddr ?? null;
  }
  const address = ops.op_ws_remote_addr(socket[_slots].id);
  return address === null
    ? peer?.remoteAddr ?? null
    : { transport: "tcp", hostname: address[0], port: address[1] };
}

const ServerWebSocketPrototype = ServerWebSocket.prototype;
// To scripts it is a WebSocket.
delete ServerWebSocketPrototype.constructor;

/** What subclasses call, whatever a script has made of the prototypes. */
const serverMethods = {
  __proto__: null,
  bufferedAmount: getterOf(WebSocketPrototype, "bufferedAmount"),
  isSubscribed: ServerWebSocketPrototype.isSubscribed,
  publish: ServerWebSocketPrototype.publish,
  remoteAddr: getterOf(ServerWebSocketPrototype, "remoteAddr"),
  send: WebSocketPrototype.send,
};

function getterOf(prototype, name) {
  return ObjectGetOwnPropertyDescriptor(prototype, name).get;
}

function topicOf(socket, length, topic, prefix) {
  webidl.assertBranded(socket, ServerWebSocketPrototype);
  return convertTopic(length, topic, prefix);
}

/** Checks the first of `length` arguments, the name of a topic. */
function convertTopic(length, topic, prefix) {
  webidl.requiredArguments(length, 1, prefix);
  return webidl.converters.USVString(topic, prefix, "Argument 1");
}

/** Checks the second, what is published: a string or a BufferSource. */
function convertPublished(length, data, prefix) {
  webidl.requiredArguments(length, 2, prefix);
  if (typeof data === "string") {
    return StringPrototypeToWellFormed(data);
  }
  if (ObjectPrototypeIsPrototypeOf(BlobPrototype, data)) {
    throw new TypeError(
      `${prefix}: a Blob cannot be published, read it first: await blob.arrayBuffer()`,
    );
  }
  return convertData(data, prefix, "Argument 2");
}

/** Throws where a Close frame with `code` and `reason` may not be sent. */
function checkClose(code, reason, isServer) {
  const fault = core.ops.op_ws_check_close(
    code !== undefined,
    code ?? 0,
    reason ?? "",
    isServer,
  );
  if (fault === 1) {
    throw new DOMException(
      `The close code must be either 1000 or in the range of 3000 to 4999: received ${code}`,
      "InvalidAccessError",
    );
  }
  if (fault === 2) {
    throw new DOMException(
      "The close reason may not be longer than 123 bytes",
      "SyntaxError",
    );
  }
}

// Sending.

/** Converts to (BufferSource or Blob or USVString). */
function convertData(data, prefix, context = "Argument 1") {
  if (typeof data === "object" && data !== null) {
    if (ObjectPrototypeIsPrototypeOf(BlobPrototype, data)) {
      return webidl.converters["Blob"](data, prefix, context);
    }
    if (ArrayBufferIsView(data)) {
      return webidl.converters["ArrayBufferView"](data, prefix, context);
    }
    if (isAnyArrayBuffer(data)) {
      return webidl.converters["ArrayBuffer"](data, prefix, context);
    }
  }
  return webidl.converters.USVString(data, prefix, context);
}

function checkConnected(slots) {
  if (slots.readyState === CONNECTING) {
    throw new DOMException("'readyState' not OPEN", "InvalidStateError");
  }
}

/** Counts what will not be sent. */
function countUnsent(slots, data) {
  checkConnected(slots);
  slots.unsent += byteLength(data);
  return SENT_CLOSED;
}

/** What the ops say where the connection is ending. */
const SENT_CLOSED = -2;

/** Hands data to the connection. Returns what `send()` is to return, or SENT_CLOSED. */
function transmit(slots, data) {
  let sent;
  if (typeof data === "string") {
    sent = op_ws_send_text(slots.id, data);
  } else if (isArrayBuffer(data)) {
    sent = op_ws_send_arraybuffer(slots.id, data);
  } else if (ArrayBufferIsView(data)) {
    sent = op_ws_send_binary(slots.id, data);
  } else {
    sent = transmitBlob(slots, data);
  }
  if (sent === SENT_CLOSED) {
    // The connection is ending, which the socket is about to be told.
    slots.unsent += byteLength(data);
  }
  return sent;
}

/**
 * The content of a Blob is read asynchronously. The connection keeps its place: everything
 * that is sent after it waits there, as it is now.
 */
function transmitBlob(slots, blob) {
  const sent = ops.op_ws_defer_blob(
    slots.id,
    FunctionPrototypeCall(blobSize, blob),
  );
  if (sent === SENT_CLOSED || sent === 0) {
    return sent;
  }
  if (slots.blobs === null) {
    slots.blobs = [blob];
    transmitBlobs(slots);
  } else {
    ArrayPrototypePush(slots.blobs, blob);
  }
  return sent;
}

/** Brings the bytes of the Blobs that have a place, in order. */
async function transmitBlobs(slots) {
  const blobs = slots.blobs;
  while (blobs.length > 0) {
    const blob = ArrayPrototypeShift(blobs);
    let bytes = null;
    try {
      bytes = await readBlob(blob);
    } catch (error) {
      reportException(error);
    }
    const id = slots.id;
    if (id === NO_ID) {
      return;
    }
    if (bytes === null) {
      ops.op_ws_drop_blob(id);
    } else {
      ops.op_ws_send_blob(id, bytes);
    }
  }
  slots.blobs = null;
}

/** Converts to the payload of a Ping or Pong: a string or a BufferSource. */
function convertPayload(data, prefix) {
  if (data === undefined) {
    return new Uint8Array();
  }
  if (ObjectPrototypeIsPrototypeOf(BlobPrototype, data)) {
    throw new TypeError(`${prefix}: the data must be a string or bytes`);
  }
  data = convertData(data, prefix);
  const bytes = typeof data === "string" ? core.encode(data) : data;
  if (byteLength(bytes) > 125) {
    throw new RangeError(
      `${prefix}: the data must not be longer than 125 bytes (RFC 6455 section 5.5)`,
    );
  }
  return bytes;
}

function sendControl(socket, isPong, bytes) {
  checkConnected(socket[_slots]);
  if (socket[_slots].readyState !== OPEN) {
    return 0;
  }
  const sent = ops.op_ws_send_control(socket[_slots].id, isPong, bytes);
  return sent === SENT_CLOSED ? 0 : sent;
}

function setRef(socket, isRef) {
  socket[_slots].isRef = isRef;
  if (socket[_slots].id !== NO_ID) {
    ops.op_ws_set_ref(socket[_slots].id, isRef);
  }
}

const { arrayBuffer: blobArrayBuffer } = BlobPrototype;

// What a Blob is made of, whatever a script has made of its class.
const blobSymbols = { __proto__: null };
{
  const symbols = ObjectGetOwnPropertySymbols(new Blob());
  for (let i = 0; i < symbols.length; i++) {
    blobSymbols[SymbolPrototypeGetDescription(symbols[i])] = symbols[i];
  }
}
const _blobParts = blobSymbols["Parts"];

/** Resolves with the bytes of a Blob, as many as it has. */
function readBlob(blob) {
  // deno_web asks the Blob for its size: this one says what it is.
  const plain = new Blob();
  plain[_blobParts] = blob[_blobParts];
  ObjectDefineProperty(plain, "size", {
    __proto__: null,
    value: FunctionPrototypeCall(blobSize, blob),
  });
  return FunctionPrototypeCall(blobArrayBuffer, plain);
}

function byteLength(data) {
  if (typeof data === "string") {
    return TypedArrayPrototypeGetByteLength(core.encode(data));
  }
  if (isArrayBuffer(data)) {
    return ArrayBufferPrototypeGetByteLength(data);
  }
  if (ArrayBufferIsView(data)) {
    if (TypedArrayPrototypeGetSymbolToStringTag(data) !== undefined) {
      return TypedArrayPrototypeGetByteLength(data);
    }
    try {
      return DataViewPrototypeGetByteLength(data);
    } catch {
      // Unlike a typed array's, the length of a DataView without its buffer throws.
      return 0;
    }
  }
  return FunctionPrototypeCall(blobSize, data);
}

// Event handlers.

/**
 * Defines `on${type}` (HTML section 8.1.8.1). Returns what stands among the listeners of
 * any socket for its handler.
 */
function defineHandler(type) {
  const name = `on${type}`;
  const listener = {
    callback(event) {
      const handler = this[_slots].handlers[type];
      if (typeof handler === "function") {
        return FunctionPrototypeCall(handler, this, event);
      }
    },
    options: { capture: false, once: false, passive: false },
    signal: undefined,
    abortListener: undefined,
  };
  const accessors = {
    get [name]() {
      webidl.assertBranded(this, WebSocketPrototype);
      const handlers = this[_slots].handlers;
      return handlers === null ? null : handlers[type];
    },
    set [name](value) {
      webidl.assertBranded(this, WebSocketPrototype);
      if (typeof value !== "object" && typeof value !== "function") {
        value = null;
      }
      const handlers = this[_slots].handlers ??= new ByType(null);
      const before = handlers[type];
      handlers[type] = value;
      if (before !== null && value !== null) {
        // A handler that is replaced keeps its place among the listeners.
        return;
      }
      const data = this[_slots].listenerData;
      if (data === undefined) {
        // Nothing but handlers so far: they need no lists.
        return;
      }
      const list = data.listeners[type];
      if (value !== null) {
        if (list === undefined) {
          data.listeners[type] = [listener];
        } else {
          ArrayPrototypePush(list, listener);
        }
      } else if (before !== null) {
        ArrayPrototypeSplice(list, ArrayPrototypeIndexOf(list, listener), 1);
      }
    },
  };
  const { get, set } = ObjectGetOwnPropertyDescriptor(accessors, name);
  ObjectDefineProperty(WebSocketPrototype, name, {
    __proto__: null,
    get,
    set,
    enumerable: true,
    configurable: true,
  });
  return listener;
}

/** Something for each type of event. */
function ByType(value) {
  this.open = value;
  this.error = value;
  this.close = value;
  this.message = value;
  this.drain = value;
  this.ping = value;
  this.pong = value;
}
// An object of this kind can grow by other types too, and inherits none.
ByType.prototype = ObjectCreate(null);

/**
 * What an EventTarget of deno_web gets with its first listener; of `handlers` those
 * that are set are listeners already.
 */
function TargetData(handlers) {
  this.assignedSlot = false;
  this.hasActivationBehavior = false;
  this.host = null;
  this.listeners = new ByType(undefined);
  this.mode = "";
  for (let i = 0; i < handlerTypes.length; i++) {
    const type = handlerTypes[i];
    if (handlers[type] !== null) {
      this.listeners[type] = [handlerListeners[type]];
    }
  }
}

const handlerTypes = [
  "open",
  "error",
  "close",
  "message",
  "drain",
  "ping",
  "pong",
];
const handlerListeners = { __proto__: null };
for (let i = 0; i < handlerTypes.length; i++) {
  handlerListeners[handlerTypes[i]] = defineHandler(handlerTypes[i]);
}
const onmessageListener = handlerListeners.message;

// Most sockets have handlers and nothing else, and need not hold lists of one. They are
// made when deno_web asks for them: to add a listener, or to dispatch an event.
ObjectDefineProperty(WebSocketPrototype, eventTargetData, {
  __proto__: null,
  get() {
    const slots = this[_slots];
    if (slots === undefined) {
      return undefined;
    }
    const { handlers, listenerData } = slots;
    return listenerData !== undefined || handlers === null
      ? listenerData
      : slots.listenerData = new TargetData(handlers);
  },
  set(data) {
    // The constructor of EventTarget comes before the slots, and is not needed.
    const slots = this[_slots];
    if (slots !== undefined) {
      slots.listenerData = data;
    }
  },
  configurable: true,
});

// Events from the connection.

/** The members of an Event that deno_web keeps under symbols, by their names. */
const eventSymbols = { __proto__: null };
{
  const symbols = ObjectGetOwnPropertySymbols(new Event(""));
  for (let i = 0; i < symbols.length; i++) {
    eventSymbols[SymbolPrototypeGetDescription(symbols[i])] = symbols[i];
  }
}
const _attributes = eventSymbols["[[attributes]]"];
const _canceledFlag = eventSymbols["[[canceledFlag]]"];
const _dispatched = eventSymbols["[[dispatched]]"];
const _inPassiveListener = eventSymbols["[[inPassiveListener]]"];
const _isTrusted = eventSymbols["[[isTrusted]]"];
const _path = eventSymbols["[[path]]"];
const _stopImmediatePropagationFlag =
  eventSymbols["[[stopImmediatePropagationFlag]]"];
const _stopPropagationFlag = eventSymbols["[[stopPropagationFlag]]"];

const AT_TARGET = 2;
const NO_PORTS = ObjectFreeze([]);

/**
 * A MessageEvent whose members are made when they are read: nearly all
 * listeners read nothing but `data`.
 */
function SocketMessageEvent(socket, data) {
  this.data = data;
  this[_socket] = socket;
  // Whether a single listener is looking at it.
  this[_isCurrent] = true;
}

const _isCurrent = Symbol("[[isCurrent]]");
const _socket = Symbol("[[socket]]");

function lazy(symbol, make) {
  return computed(symbol, (event) => event[symbol] = make(event));
}

/** A member that is what `get` says until it is set. */
function computed(symbol, get) {
  return {
    __proto__: null,
    get() {
      return get(this);
    },
    set(value) {
      ObjectDefineProperty(this, symbol, {
        __proto__: null,
        value,
        writable: true,
        configurable: true,
      });
    },
    configurable: true,
  };
}

function member(value) {
  return { __proto__: null, value, writable: true, configurable: true };
}

function attribute(get) {
  return { __proto__: null, get, enumerable: true, configurable: true };
}

/** How many of their members were made that say who is looking. */
let looks = 0;

SocketMessageEvent.prototype = ObjectCreate(MessageEvent.prototype, {
  [_attributes]: lazy(_attributes, (event) => {
    looks++;
    return {
      type: "message",
      bubbles: false,
      cancelable: false,
      composed: false,
      currentTarget: event[_isCurrent] ? event[_socket] : null,
      eventPhase: event[_isCurrent] ? AT_TARGET : 0,
      target: event[_socket],
      timeStamp: 0,
    };
  }),
  [_path]: lazy(_path, (event) => {
    looks++;
    return event[_isCurrent]
      ? [{
        item: event[_socket],
        itemInShadowTree: false,
        target: event[_socket],
        relatedTarget: undefined,
        touchTargetList: [],
        rootOfClosedTree: false,
        slotInClosedTree: false,
      }]
      : [];
  }),
  [_canceledFlag]: member(false),
  [_dispatched]: computed(_dispatched, (event) => event[_isCurrent]),
  [_inPassiveListener]: member(false),
  [_isTrusted]: member(true),
  [_stopImmediatePropagationFlag]: member(false),
  [_stopPropagationFlag]: member(false),
  constructor: member(MessageEvent),
  origin: attribute(function () {
    return this[_socket][_slots].origin;
  }),
  lastEventId: attribute(() => ""),
  source: attribute(() => null),
  ports: attribute(() => NO_PORTS),
  [SymbolToStringTag]: {
    __proto__: null,
    value: "MessageEvent",
    configurable: true,
  },
});

/** The hub delivers a message. */
function onMessage(socket, data) {
  const slots = socket[_slots];
  if (slots.readyState !== OPEN) {
    return;
  }
  const handler = slots.webSocketHandler;
  if (handler !== null) {
    handler.message(socket, data);
    return;
  }
  if (typeof data !== "string" && slots.binaryType === "blob") {
    data = new Blob([data]);
  }
  const { listenerData } = slots;
  let callback;
  let isOnly = true;
  if (listenerData === undefined) {
    callback = slots.handlers?.message ?? null;
    if (callback === null) {
      return;
    }
  } else {
    const listeners = listenerData.listeners.message;
    if (listeners === undefined || listeners.length === 0) {
      return;
    }
    isOnly = listeners.length === 1;
    const listener = listeners[0];
    if (listener === onmessageListener) {
      callback = slots.handlers.message;
    } else if (!listener.options.once && !listener.options.passive) {
      callback = listener.callback;
    }
  }
  const event = new SocketMessageEvent(socket, data);
  if (!isOnly || typeof callback !== "function") {
    event[_isCurrent] = false;
    dispatch(socket, event);
    return;
  }
  // One plain listener: the same as dispatch() does for it.
  const looksBefore = looks;
  try {
    FunctionPrototypeCall(callback, socket, event);
  } catch (error) {
    reportException(error);
  }
  event[_isCurrent] = false;
  if (event[_stopPropagationFlag]) {
    event[_stopPropagationFlag] = false;
    event[_stopImmediatePropagationFlag] = false;
  }
  if (looks !== looksBefore) {
    const attributes = event[_attributes];
    attributes.currentTarget = null;
    attributes.eventPhase = 0;
    event[_path] = [];
  }
}

/** The hub delivers several. Between two of them microtasks run, as between two tasks. */
function onMessages(socket, messages) {
  onMessage(socket, messages[0]);
  for (let i = 1; i < messages.length; i++) {
    runMicrotasks();
    onMessage(socket, messages[i]);
  }
}

/** The hub says that the peer has begun the close handshake. */
function onClosing(socket) {
  if (socket[_slots].readyState === OPEN) {
    socket[_slots].readyState = CLOSING;
  }
}

/** The hub says that the kernel has taken all that was queued. */
function onDrained(socket) {
  if (socket[_slots].readyState !== OPEN) {
    return;
  }
  const handler = socket[_slots].webSocketHandler;
  if (handler !== null) {
    handler.drain(socket);
  } else if (hasListeners(socket, "drain")) {
    dispatchTrusted(socket, new Event("drain"));
  }
}

/** The hub says that a Ping or a Pong came. */
function onControl(socket, data, isPong) {
  if (socket[_slots].readyState !== OPEN) {
    return;
  }
  const type = isPong ? "pong" : "ping";
  const handler = socket[_slots].webSocketHandler;
  if (handler !== null) {
    handler[type](socket, data);
  } else if (hasListeners(socket, type)) {
    const origin = socket[_slots].origin;
    dispatchTrusted(socket, new MessageEvent(type, { data, origin }));
  }
}

function hasCloseListener(socket) {
  const handler = socket[_slots].webSocketHandler;
  return handler !== null ? handler.hasClose : hasListeners(socket, "close");
}

function hasListeners(socket, type) {
  const data = socket[_slots].listenerData;
  if (data === undefined) {
    return (socket[_slots].handlers?.[type] ?? null) !== null;
  }
  const listeners = data.listeners[type];
  return listeners !== undefined && listeners.length > 0;
}

/** The hub says how the connection ended. */
function onClosed(socket, code, reason, wasClean, error) {
  socket[_slots].unsent += op_ws_buffered_amount(socket[_slots].id);
  if (socket[_slots].remoteAddr === null && hasCloseListener(socket)) {
    // It cannot be asked for any more.
    socket[_slots].remoteAddr = readRemoteAddr(socket);
  }
  socket[_slots].id = NO_ID;
  socket[_slots].readyState = CLOSED;
  const handler = socket[_slots].webSocketHandler;
  if (handler !== null) {
    handler.close(socket, code, reason);
    return;
  }
  if (error !== undefined) {
    dispatchError(socket, new Error(error), error);
  }
  if (hasListeners(socket, "close")) {
    const init = { wasClean, code, reason };
    dispatchTrusted(socket, new CloseEvent("close", init));
  }
}

/** The connection is open: announces it and starts delivery. */
function open(socket, id) {
  socket[_slots].id = id;
  if (!socket[_slots].isRef) {
    ops.op_ws_set_ref(id, false);
  }
  op_ws_attach(id, socket);
  if (socket[_slots].readyState === CLOSING) {
    // close() or terminate() came before.
    const { code, reason, terminate } = socket[_slots].closeRequest;
    if (terminate) {
      ops.op_ws_terminate(id);
    } else {
      op_ws_close(id, code, reason);
    }
    return;
  }
  socket[_slots].readyState = OPEN;
  const handler = socket[_slots].webSocketHandler;
  if (handler !== null) {
    handler.open(socket);
    return;
  }
  if (hasListeners(socket, "open")) {
    dispatchTrusted(socket, new Event("open"));
  }
}

/** There will be no connection. */
function failToOpen(socket, error) {
  socket[_slots].readyState = CLOSED;
  if (socket[_slots].webSocketHandler !== null) {
    // It was never opened, so it need not be closed.
    return;
  }
  dispatchError(socket, error, ErrorPrototypeToString(error));
  dispatchTrusted(
    socket,
    new CloseEvent("close", { wasClean: false, code: 1006, reason: "" }),
  );
}

/** Dispatches an ErrorEvent, as Deno does; the standard asks for a plain Event. */
function dispatchError(socket, error, message) {
  dispatchTrusted(socket, new ErrorEvent("error", { error, message }));
}

function dispatchTrusted(socket, event) {
  setIsTrusted(event, true);
  dispatch(socket, event);
}

// For servers.

/**
 * A socket whose opening handshake is being answered.
 *
 * @param {string} protocol the subprotocol that the server picked
 * @param {{ remoteAddr: Deno.Addr } | null} peer knows the address while the socket has no
 *   connection, and where the connection knows none
 * @param {object | null} handler gets what would be events otherwise, by its functions
 *   `open(socket)`, `message(socket, data)`, `drain(socket)`, `close(socket, code,
 *   reason)`, `ping(socket, data)` and `pong(socket, data)`, which must not throw;
 *   `hasClose` says whether `close` looks at the socket
 */
function createServerWebSocket(protocol = "", peer = null, handler = null) {
  return new ServerWebSocket(protocol, peer, handler);
}

/**
 * The handshake was answered: connection `id` is the socket's, with the
 * extensions that were agreed on; `peer` takes the place of the one before.
 */
function openServerWebSocket(socket, id, extensions = "", peer = null) {
  socket[_slots].extensions = extensions;
  socket[_slots].peer = peer;
  open(socket, id);
}

/** The handshake was not answered, because of what `message` says. */
function failServerWebSocket(socket, message) {
  if (socket[_slots].readyState !== CLOSED) {
    failToOpen(socket, new DOMException(message, "NetworkError"));
  }
}

export {
  checkClose,
  checkProtocols,
  CLIENT_MEMBERS,
  CloseEvent,
  connectionMembers,
  convertPublished,
  convertTopic,
  createServerWebSocket,
  dial,
  failServerWebSocket,
  handshakeRequest,
  openServerWebSocket,
  parseUrl,
  positionOf,
  serverMethods,
  ServerWebSocket,
  WebSocket,
};
