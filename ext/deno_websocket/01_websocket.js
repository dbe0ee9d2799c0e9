// What deno_http and deno_runtime load under the name of Deno's own file: `WebSocket`, and how
// deno_http makes the server's end of one. Everything else is duplex_websocket's.
//
// deno_http makes a socket with `createWebSocketBranded()`. When the client has been answered it
// sets `_rid` and `_readyState`, dispatches `open`, and calls `_eventLoop()`. All of that
// happens in one turn.

import { core, primordials } from "ext:core/mod.js";
import {
  op_deno_websocket_debug,
  op_deno_websocket_ended,
  op_deno_websocket_open,
  op_deno_websocket_show,
} from "ext:core/ops";
import { attach, closeAsAsked } from "ext:duplex_websocket/00_delivery.js";
import { EventSink } from "ext:duplex_websocket/00_event_sink.js";
import { CLOSING, CONNECTING, NO_ID } from "ext:duplex_websocket/00_numbers.js";
import { _slots } from "ext:duplex_websocket/00_slots.js";
import { WebSocket } from "ext:duplex_websocket/01_websocket.js";
import { ServerWebSocket } from "ext:duplex_websocket/02_server_websocket.js";

const { Symbol } = primordials;

const webidl = core.loadExtScript("ext:deno_webidl/00_webidl.js");

/** Roles: which end of a connection a socket is. */
const SERVER = 0;
const CLIENT = 1;

const _eventLoop = Symbol("[[eventLoop]]");
const _idleTimeoutDuration = Symbol("[[idleTimeout]]");
const _idleTimeoutTimeout = Symbol("[[idleTimeoutTimeout]]");
const _protocol = Symbol("[[protocol]]");
const _readyState = Symbol("[[readyState]]");
const _rid = Symbol("[[rid]]");
const _role = Symbol("[[role]]");
const _serverHandleIdleTimeout = Symbol("[[serverHandleIdleTimeout]]");

/** What deno_http has said of a socket: the `peer` of its slots. */
function Upgrade() {
  this.idleTimeout = 0;
  /** The resource of the connection. Its guard keeps the server from being shut down. */
  this.rid = undefined;
  /** The connection knows the address, unless there is none. */
  this.remoteAddr = null;
}

class AcceptedSink extends EventSink {
  open() {
    // deno_http has dispatched it.
  }

  closed(socket, code, reason, wasClean, error) {
    super.closed(socket, code, reason, wasClean, error);
    op_deno_websocket_ended(socket[_slots].peer.rid);
  }
}

const acceptedSink = new AcceptedSink();

/** The server's end of a WebSocket, as deno_http deals with it. */
class AcceptedWebSocket extends ServerWebSocket {
  constructor() {
    super("", new Upgrade(), acceptedSink);
  }

  get [_rid]() {
    return this[_slots].peer.rid;
  }

  /** The client has been answered: the resource has the connection. */
  set [_rid](rid) {
    const slots = this[_slots];
    slots.peer.rid = rid;
    slots.id = op_deno_websocket_open(rid, slots.peer.idleTimeout);
    if (slots.readyState === CLOSING) {
      closeAsAsked(slots);
    }
  }

  get [_readyState]() {
    return this[_slots].readyState;
  }

  set [_readyState](readyState) {
    // A program may have closed the socket before the client was answered.
    if (this[_slots].readyState === CONNECTING) {
      this[_slots].readyState = readyState;
    }
  }

  get [_protocol]() {
    return this[_slots].protocol;
  }

  set [_protocol](protocol) {
    this[_slots].protocol = protocol ?? "";
  }

  get [_role]() {
    return SERVER;
  }

  set [_role](_role) {
    // A socket that was made here is a server's.
  }

  /** deno_http listens for the end of a socket that has a timeout, to stop the timer. */
  get [_idleTimeoutDuration]() {
    return 0;
  }

  /** Seconds. The hub keeps the time, from when the connection is there. */
  set [_idleTimeoutDuration](seconds) {
    const prefix = "Failed to execute 'upgradeWebSocket' on 'Deno'";
    this[_slots].peer.idleTimeout = webidl.converters["unrestricted double"](
      seconds,
      prefix,
      "idleTimeout",
    );
  }

  get [_idleTimeoutTimeout]() {
    return null;
  }

  set [_idleTimeoutTimeout](_timer) {
    // There is no timer in JavaScript.
  }

  [_serverHandleIdleTimeout]() {
    // The hub does it.
  }

  [_eventLoop]() {
    if (this[_slots].id !== NO_ID) {
      attach(this);
    }
  }
}

// To scripts it is a WebSocket.
delete AcceptedWebSocket.prototype.constructor;

function createWebSocketBranded() {
  return new AcceptedWebSocket();
}

/** deno_http says that the server's end of a socket is open, for which `url` was asked. */
function installServerInspector(socket, url) {
  const { id } = socket[_slots];
  if (id !== NO_ID) {
    op_deno_websocket_show(id, url);
  }
}

function emitWebSocketClosed(_socket) {
  // The hub tells debuggers, of this and of all messages.
}

// This file is loaded with the first use of a WebSocket.
op_deno_websocket_debug();

export {
  _eventLoop,
  _idleTimeoutDuration,
  _idleTimeoutTimeout,
  _protocol,
  _readyState,
  _rid,
  _role,
  _serverHandleIdleTimeout,
  CLIENT,
  createWebSocketBranded,
  emitWebSocketClosed,
  installServerInspector,
  SERVER,
  WebSocket,
};
