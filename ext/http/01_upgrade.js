// `Deno.upgradeWebSocket`: answers a handshake and opens the server's end of
// the connection.

import { core, primordials } from "ext:core/mod.js";
import { isServerRequest, readVerdict } from "ext:duplex_http/00_serve.js";
import {
  createServerWebSocket,
  failServerWebSocket,
  openServerWebSocket,
} from "ext:duplex_websocket/01_websocket.js";

// Not from "ext:core/ops": what a snapshot holds has lost V8's fast calls.
const { op_http_websocket_handshake } = core.ops;

const {
  ArrayPrototypePush,
  NumberIsFinite,
  NumberIsInteger,
  ObjectPrototypeIsPrototypeOf,
  PromisePrototypeThen,
  PromiseResolve,
  TypeError,
} = primordials;

const { RequestPrototype, toInnerRequest } = core.loadExtScript(
  "ext:deno_fetch/23_request.js",
);
const { fromInnerResponse, newInnerResponse } = core.loadExtScript(
  "ext:deno_fetch/23_response.js",
);

// Proxies commonly drop a connection that was silent for 60 s.
const DEFAULT_IDLE_TIMEOUT = 30;

/**
 * @param {Request} request
 * @param {{
 *   protocol?: string,
 *   idleTimeout?: number,
 *   perMessageDeflate?: boolean | PerMessageDeflateOptions,
 * }} options `idleTimeout` is in seconds; 0 is off. Messages are compressed
 *   (RFC 7692) where `perMessageDeflate` and the client allow it.
 * @returns {{ socket: WebSocket, response: Response }}
 */
function upgradeWebSocket(request, options = { __proto__: null }) {
  if (!ObjectPrototypeIsPrototypeOf(RequestPrototype, request)) {
    throw new TypeError(
      "Cannot upgrade to a WebSocket: the first argument must be a Request",
    );
  }
  const inner = toInnerRequest(request);
  const protocol = `${options?.protocol ?? ""}`;
  const idleTimeout = options?.idleTimeout ?? DEFAULT_IDLE_TIMEOUT;
  if (
    typeof idleTimeout !== "number" || !NumberIsFinite(idleTimeout) ||
    idleTimeout < 0
  ) {
    throw new TypeError(
      "Cannot upgrade to a WebSocket: idleTimeout must be a number of seconds, 0 or more",
    );
  }

  const deflate = convertDeflate(options?.perMessageDeflate);

  const socket = createServerWebSocket({ protocol });
  const verdict = isServerRequest(inner)
    ? inner.beginUpgrade({
      protocol,
      deflate,
      idleTimeout,
      opened: (rid) => openServerWebSocket(socket, rid, verdict.extensions),
      // Later, so that whoever gets the socket can listen first.
      failed: (message) =>
        PromisePrototypeThen(
          PromiseResolve(undefined),
          () => failServerWebSocket(socket, message),
        ),
    })
    // A request that was not received: it can be answered, but there is no
    // connection to open.
    : readVerdict(
      op_http_websocket_handshake(request.method, inner.headerList, protocol),
    );

  const answer = newInnerResponse(101);
  answer.headerList = [
    ["upgrade", "websocket"],
    ["connection", "Upgrade"],
    ["sec-websocket-accept", verdict.accept],
  ];
  if (protocol !== "") {
    ArrayPrototypePush(answer.headerList, [
      "sec-websocket-protocol",
      protocol,
    ]);
  }
  if (verdict.extensions !== "") {
    ArrayPrototypePush(answer.headerList, [
      "sec-websocket-extensions",
      verdict.extensions,
    ]);
  }
  return { socket, response: fromInnerResponse(answer, "response") };
}

/**
 * @typedef {{
 *   serverNoContextTakeover?: boolean,
 *   clientNoContextTakeover?: boolean,
 *   serverMaxWindowBits?: number,
 *   clientMaxWindowBits?: number,
 *   threshold?: number,
 *   level?: number,
 * }} PerMessageDeflateOptions the parameters of RFC 7692 section 7.1; from how
 *   many bytes on a message is compressed (64); and how hard, 0 to 9 (6)
 */

/** Checks and completes the option `perMessageDeflate`; null is off. */
function convertDeflate(options) {
  if (options === undefined || options === null || options === false) {
    return null;
  }
  if (options === true) {
    options = { __proto__: null };
  }
  if (typeof options !== "object") {
    throw new TypeError(
      "Cannot upgrade to a WebSocket: perMessageDeflate must be a boolean or an object",
    );
  }
  const integer = (name, least, most, value) => {
    const number = options[name] ?? value;
    if (!NumberIsInteger(number) || number < least || number > most) {
      throw new TypeError(
        `Cannot upgrade to a WebSocket: perMessageDeflate.${name} must be an integer from ${least} to ${most}`,
      );
    }
    return number;
  };
  return {
    serverNoContextTakeover: !!options.serverNoContextTakeover,
    clientNoContextTakeover: !!options.clientNoContextTakeover,
    serverMaxWindowBits: integer("serverMaxWindowBits", 8, 15, 15),
    clientMaxWindowBits: integer("clientMaxWindowBits", 8, 15, 15),
    threshold: integer("threshold", 0, 2 ** 31 - 1, 64),
    level: integer("level", 0, 9, 6),
  };
}

export { upgradeWebSocket };
