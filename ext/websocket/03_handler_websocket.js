// The server's end of a WebSocket whose server has its handlers in one object,
// as in Bun. This file adds the members that Bun's ServerWebSocket has beyond
// those of ServerWebSocket.

import { core, internals, primordials } from "ext:duplex_websocket/00_core.js";
import {
  SEND_BUFFERED,
  SEND_REFUSED,
} from "ext:duplex_websocket/00_numbers.js";
import {
  convertPublished,
  convertTopic,
} from "ext:duplex_websocket/00_publishing.js";
import {
  convertData,
  sendUncompressed,
} from "ext:duplex_websocket/00_sending.js";
import { bufferedAmount, send } from "ext:duplex_websocket/01_websocket.js";
import {
  serverMethods,
  ServerWebSocket,
} from "ext:duplex_websocket/02_server_websocket.js";

const { ArrayBufferIsView, FunctionPrototypeCall, TypeError, Uint8Array } =
  primordials;

const { isAnyArrayBuffer } = core;
const webidl = core.loadExtScript("ext:deno_webidl/00_webidl.js");

const { isSubscribed, publish, remoteAddr } = serverMethods;

/** The `Buffer` of the runtime around this extension. */
let Buffer;

function loadBuffer() {
  if (Buffer === undefined) {
    if (internals.loadBuffer === undefined) {
      throw new TypeError(
        'binaryType "nodebuffer" is not supported: this runtime has no Buffer',
      );
    }
    Buffer = internals.loadBuffer();
    fromBuffer = Buffer.from;
  }
}

let fromBuffer;

class HandlerWebSocket extends ServerWebSocket {
  #binaryType = "arraybuffer";
  #publishesToSelf;

  constructor(protocol, peer, sink) {
    super(protocol, peer, sink);
    this.#publishesToSelf = sink.publishesToSelf;
  }

  /** The type of binary messages. */
  get binaryType() {
    webidl.assertBranded(this, HandlerWebSocketPrototype);
    return this.#binaryType;
  }

  set binaryType(value) {
    webidl.assertBranded(this, HandlerWebSocketPrototype);
    if (
      value !== "arraybuffer" && value !== "uint8array" &&
      value !== "nodebuffer"
    ) {
      throw new TypeError(
        'binaryType must be "arraybuffer", "uint8array" or "nodebuffer"',
      );
    }
    if (value === "nodebuffer") {
      loadBuffer();
    }
    this.#binaryType = value;
  }

  /** The client's address without its port; undefined if it has none. */
  get remoteAddress() {
    webidl.assertBranded(this, HandlerWebSocketPrototype);
    return FunctionPrototypeCall(remoteAddr, this)?.hostname;
  }

  getBufferedAmount() {
    webidl.assertBranded(this, HandlerWebSocketPrototype);
    return FunctionPrototypeCall(bufferedAmount, this);
  }

  /** Calls the function. All messages of a turn leave together anyway. */
  cork(callback) {
    webidl.assertBranded(this, HandlerWebSocketPrototype);
    if (typeof callback !== "function") {
      throw new TypeError("cork() takes a function");
    }
    return callback(this);
  }

  sendText(text) {
    webidl.assertBranded(this, HandlerWebSocketPrototype);
    return FunctionPrototypeCall(send, this, checkText(text, "sendText"));
  }

  sendBinary(bytes) {
    webidl.assertBranded(this, HandlerWebSocketPrototype);
    return FunctionPrototypeCall(send, this, checkBytes(bytes, "sendBinary"));
  }

  /**
   * Publishes to the other subscribers, and also to this socket if it is
   * subscribed and the option `publishToSelf` is on.
   */
  publish(topic, data) {
    webidl.assertBranded(this, HandlerWebSocketPrototype);
    if (arguments.length < 2) {
      return FunctionPrototypeCall(publish, this, topic);
    }
    const sent = FunctionPrototypeCall(publish, this, topic, data);
    if (
      !this.#publishesToSelf ||
      !FunctionPrototypeCall(isSubscribed, this, topic)
    ) {
      return sent;
    }
    const own = FunctionPrototypeCall(send, this, data);
    // -1 if some kernel takes no more for now, 0 if no socket took the message.
    return sent === SEND_BUFFERED || own === SEND_REFUSED ? sent : own;
  }

  publishText(topic, text) {
    webidl.assertBranded(this, HandlerWebSocketPrototype);
    return FunctionPrototypeCall(
      publishAnyHere,
      this,
      topic,
      checkText(text, "publishText"),
    );
  }

  publishBinary(topic, bytes) {
    webidl.assertBranded(this, HandlerWebSocketPrototype);
    return FunctionPrototypeCall(
      publishAnyHere,
      this,
      topic,
      checkBytes(bytes, "publishBinary"),
    );
  }

  /** Converts a received message to the type of the socket's `binaryType`. */
  static received(socket, data) {
    if (typeof data === "string" || socket.#binaryType === "arraybuffer") {
      return data;
    }
    return socket.#binaryType === "uint8array"
      ? new Uint8Array(data)
      : FunctionPrototypeCall(fromBuffer, Buffer, data);
  }
}

/**
 * A socket that may compress. The last argument of the sending methods says
 * whether this message is compressed. `true` and `undefined` leave the decision
 * to the option `perMessageDeflate`.
 */
class CompressingWebSocket extends HandlerWebSocket {
  send(data, compress) {
    webidl.assertBranded(this, HandlerWebSocketPrototype);
    if (compress !== false) {
      return arguments.length === 0
        ? FunctionPrototypeCall(send, this)
        : FunctionPrototypeCall(send, this, data);
    }
    // The conversion may run script.
    data = convertData(data, "Failed to execute 'send' on 'WebSocket'");
    return sendUncompressed(() => FunctionPrototypeCall(send, this, data));
  }

  sendText(text, compress) {
    webidl.assertBranded(this, HandlerWebSocketPrototype);
    return FunctionPrototypeCall(
      sendHere,
      this,
      checkText(text, "sendText"),
      compress,
    );
  }

  sendBinary(bytes, compress) {
    webidl.assertBranded(this, HandlerWebSocketPrototype);
    return FunctionPrototypeCall(
      sendHere,
      this,
      checkBytes(bytes, "sendBinary"),
      compress,
    );
  }

  publish(topic, data, compress) {
    webidl.assertBranded(this, HandlerWebSocketPrototype);
    if (compress !== false) {
      return arguments.length < 2
        ? FunctionPrototypeCall(publishAnyHere, this, topic)
        : FunctionPrototypeCall(publishAnyHere, this, topic, data);
    }
    const prefix = "Failed to execute 'publish' on 'WebSocket'";
    const name = convertTopic(2, topic, prefix);
    data = convertPublished(2, data, prefix);
    return sendUncompressed(() =>
      FunctionPrototypeCall(publishAnyHere, this, name, data)
    );
  }

  publishText(topic, text, compress) {
    webidl.assertBranded(this, HandlerWebSocketPrototype);
    return FunctionPrototypeCall(
      publishHere,
      this,
      topic,
      checkText(text, "publishText"),
      compress,
    );
  }

  publishBinary(topic, bytes, compress) {
    webidl.assertBranded(this, HandlerWebSocketPrototype);
    return FunctionPrototypeCall(
      publishHere,
      this,
      topic,
      checkBytes(bytes, "publishBinary"),
      compress,
    );
  }
}

const { publish: publishHere, send: sendHere } = CompressingWebSocket.prototype;
delete CompressingWebSocket.prototype.constructor;

const { received } = HandlerWebSocket;
const HandlerWebSocketPrototype = HandlerWebSocket.prototype;
const { publish: publishAnyHere } = HandlerWebSocketPrototype;
// To scripts the object is a WebSocket.
delete HandlerWebSocketPrototype.constructor;
delete HandlerWebSocket.received;

function checkText(text, name) {
  if (typeof text !== "string") {
    throw new TypeError(`${name}() takes a string`);
  }
  return text;
}

function checkBytes(bytes, name) {
  if (!ArrayBufferIsView(bytes) && !isAnyArrayBuffer(bytes)) {
    throw new TypeError(`${name}() takes an ArrayBuffer, or a view of one`);
  }
  return bytes;
}

/** Like `createServerWebSocket`, with Bun's methods. */
function createHandlerWebSocket(protocol, peer, sink) {
  return sink.compresses
    ? new CompressingWebSocket(protocol, peer, sink)
    : new HandlerWebSocket(protocol, peer, sink);
}

export { createHandlerWebSocket, received };
