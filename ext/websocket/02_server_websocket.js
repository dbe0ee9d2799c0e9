// The server's end of a WebSocket, and how a server opens one.

import { core, primordials } from "ext:duplex_websocket/00_core.js";
import {
  failToOpen,
  open,
  readRemoteAddr,
} from "ext:duplex_websocket/00_delivery.js";
import { eventSink } from "ext:duplex_websocket/00_event_sink.js";
import { fastOps } from "ext:duplex_websocket/00_fast_ops.js";
import {
  CLOSED,
  NO_ID,
  SEND_REFUSED,
  SUBSCRIBE_ENDED,
  SUBSCRIBE_LATER,
  SUBSCRIBE_NO_HISTORY,
  SUBSCRIBE_RECOVERED,
} from "ext:duplex_websocket/00_numbers.js";
import {
  convertPublished,
  convertTopic,
  positionOf,
} from "ext:duplex_websocket/00_publishing.js";
import { _slots } from "ext:duplex_websocket/00_slots.js";
import { ACCEPTED, WebSocket } from "ext:duplex_websocket/01_websocket.js";

const { ObjectGetOwnPropertyDescriptor, TypeError } = primordials;

const webidl = core.loadExtScript("ext:deno_webidl/00_webidl.js");
const { DOMException } = core.loadExtScript("ext:deno_web/01_dom_exception.js");

/** The server's end, which can publish to the other sockets of its server. */
class ServerWebSocket extends WebSocket {
  constructor(protocol, peer, sink) {
    super(ACCEPTED);
    const slots = this[_slots];
    // The default is that of Deno, because reading a Blob would cost a server a
    // turn for each message.
    slots.binaryType = "arraybuffer";
    slots.isServer = true;
    slots.peer = peer;
    slots.protocol = protocol;
    slots.remoteAddr = null;
    slots.sink = sink;
  }

  /** The address of the client, in the form of `Deno.serve`. */
  get remoteAddr() {
    webidl.assertBranded(this, ServerWebSocketPrototype);
    return this[_slots].remoteAddr ??= readRemoteAddr(this[_slots]);
  }

  /**
   * Subscribes to a topic of the server. Returns whether the socket was not
   * subscribed before. With `since`, resolves with the result of replaying the
   * messages that were published since then.
   */
  subscribe(topic, options = undefined) {
    const prefix = "Failed to execute 'subscribe' on 'WebSocket'";
    const name = topicOf(this, arguments.length, topic, prefix);
    if (typeof options === "object" && options !== null) {
      const { since } = options;
      if (since !== undefined) {
        return subscribeSince(this[_slots], name, since, prefix);
      }
    }
    return this[_slots].id !== NO_ID &&
      core.ops.op_ws_subscribe(this[_slots].id, name);
  }

  /** Ends a subscription. Returns whether there was one. */
  unsubscribe(topic) {
    const prefix = "Failed to execute 'unsubscribe' on 'WebSocket'";
    const name = topicOf(this, arguments.length, topic, prefix);
    return this[_slots].id !== NO_ID &&
      core.ops.op_ws_unsubscribe(this[_slots].id, name);
  }

  isSubscribed(topic) {
    const prefix = "Failed to execute 'isSubscribed' on 'WebSocket'";
    const name = topicOf(this, arguments.length, topic, prefix);
    return this[_slots].id !== NO_ID &&
      core.ops.op_ws_is_subscribed(this[_slots].id, name);
  }

  /** The topics, in the order of their subscriptions. */
  get subscriptions() {
    webidl.assertBranded(this, ServerWebSocketPrototype);
    return this[_slots].id === NO_ID
      ? []
      : core.ops.op_ws_subscriptions(this[_slots].id);
  }

  /**
   * Sends a message to all other subscribers of a topic. Returns the same
   * numbers as `send()`: -1 if some subscriber's kernel takes no more for now,
   * 0 if no subscriber took the message.
   */
  publish(topic, data) {
    const prefix = "Failed to execute 'publish' on 'WebSocket'";
    const name = topicOf(this, arguments.length, topic, prefix);
    data = convertPublished(arguments.length, data, prefix);
    if (this[_slots].id === NO_ID) {
      return SEND_REFUSED;
    }
    return typeof data === "string"
      ? fastOps.op_ws_publish_text(this[_slots].id, name, data)
      : core.ops.op_ws_publish_binary(this[_slots].id, name, data);
  }
}

async function subscribeSince(slots, topic, since, prefix) {
  if (since !== null && typeof since !== "string") {
    const { epoch, offset } = since;
    since = `${epoch}-${offset}`;
  }
  const { op_ws_read_log, op_ws_subscribe_since } = core.ops;
  let result = [SUBSCRIBE_LATER, ""];
  for (let isRead = false; result[0] === SUBSCRIBE_LATER; isRead = true) {
    if (isRead) {
      await op_ws_read_log(slots.id, topic, since);
    }
    // The subscription is made in the turn in which the read has resolved. The
    // caller goes on in the same turn, so no message comes between the replay
    // and the messages that the caller sends. The socket may have closed
    // meanwhile.
    result = slots.id === NO_ID
      ? [SUBSCRIBE_ENDED, ""]
      : op_ws_subscribe_since(slots.id, topic, since, isRead);
  }
  const { 0: outcome, 1: position } = result;
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

const ServerWebSocketPrototype = ServerWebSocket.prototype;
// To scripts the object is a WebSocket.
delete ServerWebSocketPrototype.constructor;

/**
 * The members that subclasses call, even if a script has changed the prototype.
 */
const serverMethods = {
  __proto__: null,
  isSubscribed: ServerWebSocketPrototype.isSubscribed,
  publish: ServerWebSocketPrototype.publish,
  remoteAddr:
    ObjectGetOwnPropertyDescriptor(ServerWebSocketPrototype, "remoteAddr").get,
};

function topicOf(socket, length, topic, prefix) {
  webidl.assertBranded(socket, ServerWebSocketPrototype);
  return convertTopic(length, topic, prefix);
}

/**
 * A socket whose opening handshake is being answered.
 *
 * @param {string} protocol the subprotocol that the server picked
 * @param {{ remoteAddr: Deno.Addr } | null} peer tells the address while the
 *   socket has no connection, and if the connection does not know the address
 * @param {Sink} sink of 00_slots.js, is told what happens to the socket
 */
function createServerWebSocket(protocol = "", peer = null, sink = eventSink) {
  return new ServerWebSocket(protocol, peer, sink);
}

/**
 * The handshake was answered. Gives the connection `id` to the socket, with the
 * extensions that were agreed on. `peer` replaces the earlier peer.
 */
function openServerWebSocket(socket, id, extensions = "", peer = null) {
  socket[_slots].extensions = extensions;
  socket[_slots].peer = peer;
  open(socket, id);
}

/** The handshake was not answered, for the reason in `message`. */
function failServerWebSocket(socket, message) {
  if (socket[_slots].readyState !== CLOSED) {
    failToOpen(socket, new DOMException(message, "NetworkError"));
  }
}

export {
  createServerWebSocket,
  failServerWebSocket,
  openServerWebSocket,
  serverMethods,
  ServerWebSocket,
};
