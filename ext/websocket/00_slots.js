// The internal slots of a socket.

import { primordials } from "ext:duplex_websocket/00_core.js";
import { CONNECTING, NO_ID } from "ext:duplex_websocket/00_numbers.js";

const { ObjectCreate, Symbol } = primordials;

/** The symbol under which a socket keeps its {@linkcode Slots}. */
const _slots = Symbol("[[slots]]");

/**
 * All state of a socket, like the internal slots of the standard. A script may
 * freeze the socket, but not this object. All members are set here, so that an
 * engine keeps them in fixed places and not in a table.
 *
 * @param {Sink} sink is told what happens to the socket
 */
function Slots(sink) {
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
  this.sink = sink;
  // The number of bytes that were handed to send() and will not be sent.
  this.unsent = 0;
  this.url = "";
}
Slots.prototype = ObjectCreate(null);

/**
 * The object that is told what happens to a socket. Its functions must not
 * throw. Sockets with events have `eventSink` of 00_event_sink.js. A server
 * whose handlers are functions has a sink of its own.
 *
 * @typedef {{
 *   open(socket: WebSocket): void,
 *   message(socket: WebSocket, data: string | ArrayBuffer): void,
 *   drain(socket: WebSocket): void,
 *   control(socket: WebSocket, data: ArrayBuffer, isPong: boolean): void,
 *   closed(socket: WebSocket, code: number, reason: string, wasClean: boolean,
 *     error: string | undefined): void,
 *   failed(socket: WebSocket, error: Error): void,
 *   hasClose(socket: WebSocket): boolean,
 * }} Sink `failed` is called for a socket that was never open; `hasClose` tells
 *   whether `closed` calls a script, which may look at the socket
 */

export { _slots, Slots };
