// A WebSocket on a socket of `node:net`, which the event `upgrade` of a `node:http` server gives.

import { core, primordials } from "ext:duplex_websocket/00_core.js";

const { op_http_upgrade_stream } = core.ops;
const {
  FunctionPrototypeCall,
  PromisePrototypeThen,
  PromiseResolve,
  TypeError,
  TypedArrayPrototypeGetSymbolToStringTag,
  Uint8Array,
} = primordials;

/** There is no server of this crate. The connection knows the address. */
const REQUEST = { __proto__: null, serverPeer: null };

/**
 * Checks the options `socket` and `head`.
 *
 * @returns {{ socket: object, head: Uint8Array }}
 */
function convertNodeSocket({ socket, head }, prefix) {
  if (typeof socket !== "object") {
    throw new TypeError(
      `${prefix}: socket must be the socket that the event "upgrade" of a node:http server gives`,
    );
  }
  if (socket.destroyed) {
    throw new TypeError(`${prefix}: the socket is destroyed already`);
  }
  if (typeof socket._handle?.takeStream !== "function") {
    throw new TypeError(
      `${prefix}: the socket must be one of TCP, and not have become a WebSocket already`,
    );
  }
  head ??= new Uint8Array(0);
  if (TypedArrayPrototypeGetSymbolToStringTag(head) !== "Uint8Array") {
    throw new TypeError(`${prefix}: head must be a Uint8Array`);
  }
  return { __proto__: null, socket, head };
}

/**
 * Answers the handshake of `inner` on the socket, later, so that whoever gets the WebSocket can
 * listen first.
 *
 * @param {{ socket: object, head: Uint8Array }} place of `convertNodeSocket()`
 * @param {Upgrade} upgrade of 00_handshake.js
 * @param {[string, string][]} headers of the answer
 */
function openOnNodeSocket(place, inner, upgrade, headers) {
  PromisePrototypeThen(PromiseResolve(undefined), () => {
    try {
      answer(place, inner, upgrade, headers);
    } catch (error) {
      upgrade.failed(`${error?.message}`);
      return;
    }
    upgrade.opened(upgrade.id);
  });
}

function answer({ socket, head }, inner, upgrade, headers) {
  const handle = socket._handle;
  if (!handle) {
    throw new TypeError("The socket was closed before the handshake");
  }
  const { idleTimeout, sendPings, limits, deflate } = upgrade.options;
  FunctionPrototypeCall(handle.readStop, handle);
  const rid = FunctionPrototypeCall(handle.takeStream, handle);
  // Its server does not wait for it any more, and nobody can write to it.
  socket._handle = null;
  FunctionPrototypeCall(socket.destroy, socket);
  const { 0: id, 1: extensions } = op_http_upgrade_stream(
    rid,
    head,
    {
      __proto__: null,
      method: inner.method,
      url: inner.url(),
      protocol: upgrade.protocol,
    },
    inner.headerList,
    headers,
    deflate,
    idleTimeout,
    sendPings,
    limits,
  );
  upgrade.request = REQUEST;
  upgrade.extensions = extensions;
  upgrade.id = id;
}

export { convertNodeSocket, openOnNodeSocket };
