// `Deno.serve` with the handler-object form: `{ fetch, websocket: { message(ws, data)
// {} } }`, after Bun. Functions of one object get what would be events otherwise, so
// that a message costs a call and nothing else.

import { core, primordials } from "ext:core/mod.js";
import {
  isRefusal,
  isServerRequest,
  serve as serveRequests,
} from "ext:duplex_http/00_serve.js";
import {
  convertUpgradeOptions,
  SocketTarget,
  upgradeRequest,
} from "ext:duplex_http/01_upgrade.js";
import { createServerWebSocket } from "ext:duplex_websocket/01_websocket.js";

const {
  FunctionPrototypeCall,
  ObjectPrototypeIsPrototypeOf,
  PromisePrototype,
  PromisePrototypeThen,
  TypeError,
} = primordials;

const { RequestPrototype, toInnerRequest } = core.loadExtScript(
  "ext:deno_fetch/23_request.js",
);
const { reportException } = core.loadExtScript("ext:deno_web/02_event.js");

const prefix = "Cannot serve WebSockets";

/**
 * As `Deno.serve` with a handler. With the option `websocket` too, the server's
 * `upgrade(request, { data, headers, protocol })` makes a WebSocket of a request, whose
 * `data` is the socket's, and returns whether it did: not where the request is no
 * handshake. A handler that has upgraded a request returns nothing; where it returns
 * nothing otherwise, the client is told what was wrong with its handshake.
 */
function serve(arg1, arg2) {
  return serveRequests(arg1, arg2, upgrader, false);
}

/** The same for the server that an embedder starts: not for scripts. */
function serveOwn(options, handler) {
  return serveRequests(options, handler, upgrader, true);
}

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
  const handler = createHandler(websocket);
  const shared = convertUpgradeOptions(
    {
      __proto__: null,
      ...websocket,
      // As in Bun. Whoever serves so looks at what send() returns.
      closeOnBackpressureLimit: websocket.closeOnBackpressureLimit ?? false,
    },
    prefix,
  );
  return (request, options = { __proto__: null }) =>
    upgrade(server, request, options, handler, shared);
}

function upgrade(server, request, options, handler, shared) {
  const inner = ObjectPrototypeIsPrototypeOf(RequestPrototype, request)
    ? toInnerRequest(request)
    : undefined;
  if (!isServerRequest(inner) || inner.server !== server) {
    throw new TypeError(
      "Cannot upgrade to a WebSocket: the first argument must be the Request that this server received, and no copy of it",
    );
  }
  let answer, target;
  try {
    answer = upgradeRequest(request, options, shared, (protocol) => {
      const socket = createServerWebSocket(protocol, inner, handler);
      socket.data = options?.data;
      return target = new SocketTarget(socket, inner);
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
    target.forget();
  }
  return isUpgraded;
}

/**
 * The functions that a socket calls, each of which reports what the program's throws.
 */
function createHandler(websocket) {
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
  return {
    __proto__: null,
    open: guarded(open),
    message: guarded(message),
    drain: guarded(drain),
    close: guarded(close),
    ping: guarded(ping),
    pong: guarded(pong),
    hasClose: close !== undefined,
  };
}

export { serve, serveOwn };
