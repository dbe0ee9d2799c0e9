// The functions that the hub calls for a connection. Each function moves the
// socket from one state to the next, and tells the socket's sink.

import { core } from "ext:duplex_websocket/00_core.js";
import { attachFastCalls, fastOps } from "ext:duplex_websocket/00_fast_ops.js";
import {
  CLOSED,
  CLOSING,
  NO_ID,
  OPEN,
} from "ext:duplex_websocket/00_numbers.js";
import { wasPausedEarly } from "ext:duplex_websocket/00_pausing.js";
import { _slots } from "ext:duplex_websocket/00_slots.js";

let runMicrotasks;

/**
 * Registers the callbacks and loads the fast ops. The first socket calls this
 * function.
 */
function start() {
  if (runMicrotasks !== undefined) {
    return;
  }
  attachFastCalls();
  runMicrotasks = core.ops.op_ws_set_callbacks(
    onMessage,
    onMessages,
    onClosing,
    onClosed,
    onDrained,
    onControl,
  );
}

/** The hub delivers a message. */
function onMessage(socket, data) {
  const slots = socket[_slots];
  if (slots.readyState === OPEN) {
    slots.sink.message(socket, data);
  }
}

/**
 * The hub delivers several messages. Microtasks run between two messages, as
 * between two tasks.
 */
function onMessages(socket, messages) {
  onMessage(socket, messages[0]);
  for (let i = 1; i < messages.length; i++) {
    runMicrotasks();
    onMessage(socket, messages[i]);
  }
}

/** The hub tells that the peer has begun the closing handshake. */
function onClosing(socket) {
  const slots = socket[_slots];
  if (slots.readyState === OPEN) {
    slots.readyState = CLOSING;
  }
}

/** The hub tells that the kernel has taken all queued bytes. */
function onDrained(socket) {
  const slots = socket[_slots];
  if (slots.readyState === OPEN) {
    slots.sink.drain(socket);
  }
}

/** The hub tells that a Ping or a Pong came. */
function onControl(socket, data, isPong) {
  const slots = socket[_slots];
  if (slots.readyState === OPEN) {
    slots.sink.control(socket, data, isPong);
  }
}

/** The hub tells how the connection ended. */
function onClosed(socket, code, reason, wasClean, error) {
  const slots = socket[_slots];
  slots.unsent += fastOps.op_ws_buffered_amount(slots.id);
  if (slots.remoteAddr === null && slots.sink.hasClose(socket)) {
    // The address cannot be read from the connection later.
    slots.remoteAddr = readRemoteAddr(slots);
  }
  slots.id = NO_ID;
  slots.readyState = CLOSED;
  slots.sink.closed(socket, code, reason, wasClean, error);
}

/** The address of a server's peer, or null. */
function readRemoteAddr({ id, peer }) {
  if (id === NO_ID) {
    return peer?.remoteAddr ?? null;
  }
  const address = core.ops.op_ws_remote_addr(id);
  return address === null
    ? peer?.remoteAddr ?? null
    : { transport: "tcp", hostname: address[0], port: address[1] };
}

/**
 * Gives the open connection `id` to the socket, starts delivery, and tells
 * `open`.
 */
function open(socket, id) {
  const slots = socket[_slots];
  slots.id = id;
  attach(socket);
  if (slots.readyState === CLOSING) {
    closeAsAsked(slots);
    return;
  }
  slots.readyState = OPEN;
  slots.sink.open(socket);
}

/** Starts delivery of the socket's open connection. */
function attach(socket) {
  const { id, isRef } = socket[_slots];
  if (!isRef) {
    core.ops.op_ws_set_ref(id, false);
  }
  if (wasPausedEarly(socket)) {
    core.ops.op_ws_hold_back(id, true);
  }
  fastOps.op_ws_attach(id, socket);
}

/**
 * Closes or drops the connection, because the script called `close()` or
 * `terminate()` before there was a connection.
 */
function closeAsAsked({ id, closeRequest }) {
  const { code, reason, terminate } = closeRequest;
  if (terminate) {
    core.ops.op_ws_terminate(id);
  } else {
    fastOps.op_ws_close(id, code, reason);
  }
}

/** The socket will have no connection. */
function failToOpen(socket, error) {
  const slots = socket[_slots];
  slots.readyState = CLOSED;
  slots.sink.failed(socket, error);
}

export { attach, closeAsAsked, failToOpen, open, readRemoteAddr, start };
