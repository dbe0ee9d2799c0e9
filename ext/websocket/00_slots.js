// What a socket has inside.

import { primordials } from "ext:core/mod.js";
import { CONNECTING, NO_ID } from "ext:duplex_websocket/00_numbers.js";

const { ObjectCreate, Symbol } = primordials;

/** Where a socket keeps its {@linkcode Slots}. */
const _slots = Symbol("[[slots]]");

/**
 * All that a socket has, like the internal slots of the standard: a script may freeze the
 * socket. An engine makes room for what stands here, and looks up in a table what comes later.
 *
 * @param {Sink} sink gets what happens to the socket
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
  // Bytes that were handed to send() after the end.
  this.unsent = 0;
  this.url = "";
}
Slots.prototype = ObjectCreate(null);

/**
 * What happens to a socket goes to one object with these functions, which must not throw.
 * For sockets with events that is `eventSink` of 00_event_sink.js; a server whose handlers are
 * functions has one of its own.
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
 * }} Sink `failed` is for a socket that was never open; `hasClose` says whether `closed` has a
 *   script look at the socket
 */

export { _slots, Slots };
