// The option `websocket` of a server, after Bun: `{ websocket: { message(ws, data) {} } }`.
// Functions of one object get what would be events otherwise, so that a message costs a call
// and nothing else.

import { core, primordials } from "ext:duplex_websocket/00_core.js";
import { isRefusal } from "ext:duplex_http/00_refusal.js";
import { isServerRequest } from "ext:duplex_http/00_request.js";
import {
  convertUpgradeOptions,
  SHARED_MEMBERS,
  socketUpgrade,
  upgradeRequest,
} from "ext:duplex_http/01_upgrade.js";
import {
  checkMembers,
  membersOf,
} from "ext:duplex_websocket/00_known_members.js";

const {
  FunctionPrototypeCall,
  ObjectCreate,
  ObjectPrototypeIsPrototypeOf,
  PromisePrototype,
  PromisePrototypeThen,
  TypeError,
} = primordials;

const { RequestPrototype, toInnerRequest } = core.loadExtScript(
  "ext:deno_fetch/23_request.js",
);
const { reportException } = core.loadExtScript("ext:deno_web/02_event.js");

const loadSockets = core.createLazyLoader(
  "ext:duplex_websocket/03_handler_websocket.js",
);

const prefix = "Cannot serve WebSockets";

/** Makes the server's `upgrade(request, options)`. */
function upgrader(server, { websocket }) {
  if (websocket === undefined || websocket === null) {
    return () => {
      throw new TypeError(
        "upgrade() needs handlers: Deno.serve({ fetch, websocket: { message(ws, data) {} } }). Without them, use Deno.upgradeWebSocket(request)",
      );
    };
  }
  if (typeof websocket !== "object") {
    throw new TypeError(`${prefix}: websocket must be an object`);
  }
  checkMembers(websocket, HANDLER_MEMBERS, `${prefix}: websocket`);
  const sink = createSink(websocket);
  const options = { __proto__: null };
  for (const name in SHARED_MEMBERS) {
    options[name] = websocket[name];
  }
  // As in Bun. Whoever serves so looks at what send() returns.
  options.closeOnBackpressureLimit ??= false;
  const shared = convertUpgradeOptions(options, prefix);
  return (request, options = { __proto__: null }) =>
    upgrade(server, request, options, sink, shared);
}

const HANDLER_MEMBERS = membersOf(
  [
    "close",
    // In Bun it is the type of the sockets' data, and no value.
    "data",
    "drain",
    "error",
    "message",
    "open",
    "ping",
    "pong",
    "publishToSelf",
  ],
  {
    __proto__: null,
    ...SHARED_MEMBERS,
    headers: "upgrade(request, { headers }) takes them",
    maxCompressedSize: "maxPayloadLength is the limit of the whole message",
    protocol: "upgrade(request, { protocol }) takes it",
  },
);
const CALL_MEMBERS = membersOf(["data", "headers", "protocol"]);

function upgrade(server, request, options, sink, shared) {
  const inner = ObjectPrototypeIsPrototypeOf(RequestPrototype, request)
    ? toInnerRequest(request)
    : undefined;
  if (!isServerRequest(inner) || inner.server !== server) {
    throw new TypeError(
      "Cannot upgrade to a WebSocket: the first argument must be the Request that this server received, and no copy of it",
    );
  }
  if (typeof options === "object" && options !== null) {
    checkMembers(options, CALL_MEMBERS, "Cannot upgrade to a WebSocket");
  }
  let answer, handshake;
  try {
    answer = upgradeRequest(request, options, (protocol) => {
      const { createHandlerWebSocket } = loadSockets();
      const socket = createHandlerWebSocket(protocol, inner, sink);
      socket.data = options?.data;
      return handshake = socketUpgrade(protocol, shared, socket);
    });
  } catch (error) {
    if (!isRefusal(error)) {
      throw error;
    }
    inner.refusal = error;
    return false;
  }
  const isUpgraded = inner.respondUpgrade(answer);
  if (!isUpgraded) {
    handshake.forget();
  }
  return isUpgraded;
}

/**
 * What gets what happens to a socket, the Sink of ext/websocket/00_slots.js: it calls the
 * program's functions, and reports what they throw.
 */
function createSink(websocket) {
  const functionOf = (name) => {
    const value = websocket[name];
    if (value !== undefined && value !== null && typeof value !== "function") {
      throw new TypeError(`${prefix}: websocket.${name} must be a function`);
    }
    return value ?? undefined;
  };
  const open = functionOf("open");
  const message = functionOf("message");
  const drain = functionOf("drain");
  const close = functionOf("close");
  const ping = functionOf("ping");
  const pong = functionOf("pong");
  const onError = functionOf("error");

  const failed = onError === undefined
    ? (_socket, error) => reportException(error)
    : (socket, error) => {
      try {
        FunctionPrototypeCall(onError, websocket, socket, error);
      } catch (error) {
        reportException(error);
      }
    };
  // What an async function rejects with is an unhandled rejection, unless there is
  // somebody to tell.
  const settled = onError === undefined ? () => {} : (socket, result) => {
    if (ObjectPrototypeIsPrototypeOf(PromisePrototype, result)) {
      PromisePrototypeThen(
        result,
        undefined,
        (error) => failed(socket, error),
      );
    }
  };
  const guarded = (callback) =>
    callback === undefined ? () => {} : (socket, a, b) => {
      try {
        settled(
          socket,
          FunctionPrototypeCall(callback, websocket, socket, a, b),
        );
      } catch (error) {
        failed(socket, error);
      }
    };
  const { received } = loadSockets();
  // As `guarded`, for what comes most often.
  const onMessage = message === undefined ? () => {} : (socket, data) => {
    try {
      settled(
        socket,
        FunctionPrototypeCall(
          message,
          websocket,
          socket,
          typeof data === "string" ? data : received(socket, data),
        ),
      );
    } catch (error) {
      failed(socket, error);
    }
  };
  const onPing = guarded(ping);
  const onPong = guarded(pong);
  return new HandlerSink({
    open: guarded(open),
    message: onMessage,
    drain: guarded(drain),
    control: (socket, data, isPong) =>
      isPong ? onPong(socket, data) : onPing(socket, data),
    closed: guarded(close),
    // A socket that was never opened need not be closed.
    failed: () => {},
    hasClose: () => close !== undefined,
    publishesToSelf: !!websocket.publishToSelf,
    compresses: !!websocket.perMessageDeflate,
  });
}

/** An engine makes room for what stands here, and need not look it up in a table. */
function HandlerSink(members) {
  this.open = members.open;
  this.message = members.message;
  this.drain = members.drain;
  this.control = members.control;
  this.closed = members.closed;
  this.failed = members.failed;
  this.hasClose = members.hasClose;
  this.publishesToSelf = members.publishesToSelf;
  this.compresses = members.compresses;
}
HandlerSink.prototype = ObjectCreate(null);

export { upgrader };
