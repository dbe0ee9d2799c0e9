// Sending: messages, Pings and Pongs, and the code and the reason of a Close
// frame.

import { core, primordials } from "ext:duplex_websocket/00_core.js";
import { readBlob } from "ext:duplex_websocket/00_blob.js";
import { fastOps } from "ext:duplex_websocket/00_fast_ops.js";
import {
  CLOSE_CODE_REFUSED,
  CLOSE_REASON_REFUSED,
  CONNECTING,
  MAX_CONTROL_PAYLOAD,
  NO_ID,
  OPEN,
  SEND_CLOSED,
  SEND_REFUSED,
  TAKES_ANY_TEXT,
} from "ext:duplex_websocket/00_numbers.js";
import { blobSize } from "ext:duplex_websocket/00_prototypes.js";

const { isAnyArrayBuffer, isArrayBuffer } = core;
const {
  ArrayBufferIsView,
  ArrayBufferPrototypeGetByteLength,
  ArrayPrototypePush,
  ArrayPrototypeShift,
  DataViewPrototypeGetByteLength,
  FunctionPrototypeCall,
  ObjectPrototypeIsPrototypeOf,
  RangeError,
  StringPrototypeToWellFormed,
  TypedArrayPrototypeGetByteLength,
  TypedArrayPrototypeGetSymbolToStringTag,
  TypeError,
  Uint8Array,
} = primordials;

const webidl = core.loadExtScript("ext:deno_webidl/00_webidl.js");
const { DOMException } = core.loadExtScript("ext:deno_web/01_dom_exception.js");
const { reportException } = core.loadExtScript("ext:deno_web/02_event.js");
const { BlobPrototype } = core.loadExtScript("ext:deno_web/09_file.js");

/**
 * Converts a string so that it can be handed to an op that sends text. QuickJS
 * would turn a lone surrogate into three U+FFFD on its way to Rust. V8 makes
 * one U+FFFD of it, and the string needs no conversion.
 */
const toSendable = TAKES_ANY_TEXT
  ? (text) => text
  : (text) => StringPrototypeToWellFormed(text);

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

/** Counts data that will not be sent. */
function countUnsent(slots, data) {
  checkConnected(slots);
  slots.unsent += byteLength(data);
  return SEND_CLOSED;
}

/**
 * Hands data to the connection. Returns the result of `send()`, or
 * `SEND_CLOSED`.
 */
function transmit(slots, data) {
  let sent;
  if (typeof data === "string") {
    sent = fastOps.op_ws_send_text(slots.id, data);
  } else if (isArrayBuffer(data)) {
    sent = fastOps.op_ws_send_arraybuffer(slots.id, data);
  } else if (ArrayBufferIsView(data)) {
    sent = fastOps.op_ws_send_binary(slots.id, data);
  } else {
    sent = transmitBlob(slots, data);
  }
  if (sent === SEND_CLOSED) {
    // The connection is ending. The socket is told soon.
    slots.unsent += byteLength(data);
  }
  return sent;
}

/**
 * The content of a Blob is read asynchronously. The connection keeps the place
 * of the Blob. Messages that are sent later wait behind the Blob, with the
 * content that they have now.
 */
function transmitBlob(slots, blob) {
  const sent = core.ops.op_ws_defer_blob(
    slots.id,
    FunctionPrototypeCall(blobSize, blob),
  );
  if (sent === SEND_CLOSED || sent === SEND_REFUSED) {
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

/** Reads the waiting Blobs and hands over their bytes, in order. */
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
      core.ops.op_ws_drop_blob(id);
    } else {
      core.ops.op_ws_send_blob(id, bytes);
    }
  }
  slots.blobs = null;
}

/** Calls `send` with compression switched off. `send` must run no script. */
function sendUncompressed(send) {
  core.ops.op_ws_suspend_compression(true);
  try {
    return send();
  } finally {
    core.ops.op_ws_suspend_compression(false);
  }
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
  if (byteLength(bytes) > MAX_CONTROL_PAYLOAD) {
    throw new RangeError(
      `${prefix}: the data must not be longer than ${MAX_CONTROL_PAYLOAD} bytes (RFC 6455 section 5.5)`,
    );
  }
  return bytes;
}

/** Sends a Ping or a Pong. Returns the result of `ping()`. */
function sendControl(slots, isPong, bytes) {
  checkConnected(slots);
  if (slots.readyState !== OPEN) {
    return SEND_REFUSED;
  }
  const sent = core.ops.op_ws_send_control(slots.id, isPong, bytes);
  return sent === SEND_CLOSED ? SEND_REFUSED : sent;
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
      // The length of a DataView whose buffer is detached throws. That of a
      // typed array does not.
      return 0;
    }
  }
  return FunctionPrototypeCall(blobSize, data);
}

/** Throws if a script may not send a Close frame with `code` and `reason`. */
function checkClose(code, reason, isServer) {
  const fault = core.ops.op_ws_check_close(
    code !== undefined,
    code ?? 0,
    reason ?? "",
    isServer,
  );
  if (fault === CLOSE_CODE_REFUSED) {
    throw new DOMException(
      `The close code must be either 1000 or in the range of 3000 to 4999: received ${code}`,
      "InvalidAccessError",
    );
  }
  if (fault === CLOSE_REASON_REFUSED) {
    throw new DOMException(
      `The close reason may not be longer than ${
        MAX_CONTROL_PAYLOAD - 2
      } bytes`,
      "SyntaxError",
    );
  }
}

export {
  checkClose,
  convertData,
  convertPayload,
  countUnsent,
  sendControl,
  sendUncompressed,
  toSendable,
  transmit,
};
