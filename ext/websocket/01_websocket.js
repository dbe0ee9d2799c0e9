// The WebSocket interface (https://websockets.spec.whatwg.org/).

import { core, primordials } from "ext:duplex_websocket/00_core.js";
import { CloseEvent } from "ext:duplex_websocket/00_close_event.js";
import { failToOpen, open, start } from "ext:duplex_websocket/00_delivery.js";
import {
  checkProtocols,
  convertInit,
  dial,
  dialError,
  handshakeRequest,
  parseUrl,
} from "ext:duplex_websocket/00_dial.js";
import { defineEventHandlers } from "ext:duplex_websocket/00_event_handlers.js";
import { eventSink } from "ext:duplex_websocket/00_event_sink.js";
import { fastOps } from "ext:duplex_websocket/00_fast_ops.js";
import {
  CLOSED,
  CLOSING,
  CONNECTING,
  NO_ID,
  OPEN,
  SEND_CLOSED,
  SEND_REFUSED,
} from "ext:duplex_websocket/00_numbers.js";
import { isPaused, setPaused } from "ext:duplex_websocket/00_pausing.js";
import { reportUnheard } from "ext:duplex_websocket/00_unheard.js";
import { url as urlPrototype } from "ext:duplex_websocket/00_prototypes.js";
import {
  checkClose,
  convertData,
  convertPayload,
  countUnsent,
  sendControl,
  toSendable,
  transmit,
} from "ext:duplex_websocket/00_sending.js";
import { _slots, Slots } from "ext:duplex_websocket/00_slots.js";

const {
  FunctionPrototypeCall,
  ObjectDefineProperties,
  ObjectDefineProperty,
  ObjectGetOwnPropertyDescriptor,
  ObjectPrototypeIsPrototypeOf,
  PromisePrototypeThen,
  Symbol,
  SymbolFor,
} = primordials;

const webidl = core.loadExtScript("ext:deno_webidl/00_webidl.js");
const { createFilteredInspectProxy } = core.loadExtScript(
  "ext:deno_web/01_console.js",
);
const { DOMException } = core.loadExtScript("ext:deno_web/01_dom_exception.js");
const { EventTarget } = core.loadExtScript("ext:deno_web/02_event.js");

/** With this argument the constructor makes a socket that does not dial. */
const ACCEPTED = Symbol("accepted");

class WebSocket extends EventTarget {
  constructor(url, protocols = undefined) {
    super();
    start();
    this[webidl.brand] = webidl.brand;
    this[_slots] = new Slots(eventSink);
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
    this[_slots].dialHandle = core.ops.op_ws_check_permission_and_cancel_handle(
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
        const slots = this[_slots];
        slots.dialHandle = undefined;
        const reason = dialError(error);
        // A program that has closed the socket knows that it has no connection.
        if (slots.readyState === CONNECTING) {
          reportUnheard(this, slots.url, reason);
        }
        failToOpen(this, reason);
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
    return id === NO_ID ? unsent : unsent + fastOps.op_ws_buffered_amount(id);
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
   * A server's socket also returns the outcome of the message, in the numbers
   * of Bun: the length of the message in bytes, at least 1, if it was taken; -1
   * if the message is queued because the kernel takes no more for now; 0 if the
   * message was refused, because the socket is closing or more bytes than
   * `backpressureLimit` are queued.
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
      return sent === SEND_CLOSED ? SEND_REFUSED : sent;
    }
    // The standard's `send()` returns nothing.
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
    fastOps.op_ws_close(this[_slots].id, request.code, request.reason);
  }

  /**
   * Sends a Ping (RFC 6455 section 5.5.2) with at most 125 bytes. Returns the
   * same numbers as `send()` of a server's socket. The answer is an event
   * `pong`.
   */
  ping(data = undefined) {
    webidl.assertBranded(this, WebSocketPrototype);
    const prefix = "Failed to execute 'ping' on 'WebSocket'";
    return sendControl(this[_slots], false, convertPayload(data, prefix));
  }

  /** Sends a Pong that no Ping asked for. Pings are answered automatically. */
  pong(data = undefined) {
    webidl.assertBranded(this, WebSocketPrototype);
    const prefix = "Failed to execute 'pong' on 'WebSocket'";
    return sendControl(this[_slots], true, convertPayload(data, prefix));
  }

  /**
   * Drops the connection without a closing handshake. A `close` event follows.
   */
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
      core.ops.op_ws_terminate(this[_slots].id);
    }
  }

  /**
   * Pauses reading. Messages that were received before may still be delivered.
   */
  pause() {
    webidl.assertBranded(this, WebSocketPrototype);
    setPaused(this, true);
  }

  /** Resumes reading after {@linkcode pause}. */
  resume() {
    webidl.assertBranded(this, WebSocketPrototype);
    setPaused(this, false);
  }

  get isPaused() {
    webidl.assertBranded(this, WebSocketPrototype);
    return isPaused(this);
  }

  /** Makes the socket keep the program going. This is the default. */
  ref() {
    webidl.assertBranded(this, WebSocketPrototype);
    setRef(this, true);
  }

  /** Lets the program end while the socket is open. */
  unref() {
    webidl.assertBranded(this, WebSocketPrototype);
    setRef(this, false);
  }

  [SymbolFor("Deno.privateCustomInspect")](inspect, inspectOptions) {
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

// A socket is neither serializable nor transferable: no message can contain a
// socket, at any depth. Structured cloning calls this function if an object has
// it.
ObjectDefineProperty(WebSocketPrototype, core.hostObjectBrand, {
  __proto__: null,
  value() {
    throw new DOMException(
      "A WebSocket cannot be cloned.",
      "DataCloneError",
    );
  },
});

defineEventHandlers(WebSocketPrototype);

function setRef(socket, isRef) {
  const slots = socket[_slots];
  slots.isRef = isRef;
  if (slots.id !== NO_ID) {
    core.ops.op_ws_set_ref(slots.id, isRef);
  }
}

/**
 * The members that a server's socket calls, even if a script has changed the
 * prototype.
 */
const { send } = WebSocketPrototype;
const bufferedAmount =
  ObjectGetOwnPropertyDescriptor(WebSocketPrototype, "bufferedAmount").get;

export { ACCEPTED, bufferedAmount, CloseEvent, send, WebSocket };
