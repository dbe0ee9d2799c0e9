// `Deno.upgradeWebSocket` and `Deno.upgradeWebSocketStream`: answer a handshake
// and open the server's end of the connection.

import { core, primordials } from "ext:core/mod.js";
import {
  isServerRequest,
  readVerdict,
  UpgradeResponse,
} from "ext:duplex_http/00_serve.js";
import {
  convertLimits,
  convertPerMessageDeflate,
} from "ext:duplex_websocket/00_options.js";
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
  ObjectPrototypeIsPrototypeOf,
  PromisePrototypeThen,
  PromiseResolve,
  TypeError,
} = primordials;

const { RequestPrototype, toInnerRequest } = core.loadExtScript(
  "ext:deno_fetch/23_request.js",
);
const { fromInnerResponse } = core.loadExtScript(
  "ext:deno_fetch/23_response.js",
);

// Proxies commonly drop a connection that was silent for 60 s.
const DEFAULT_IDLE_TIMEOUT = 30;

const prefix = "Cannot upgrade to a WebSocket";

// What few programs use is not loaded for all.
const loadStreams = core.createLazyLoader(
  "ext:duplex_websocket/02_websocketstream.js",
);

/**
 * @param {Request} request
 * @param {{
 *   protocol?: string,
 *   idleTimeout?: number,
 *   perMessageDeflate?: boolean | PerMessageDeflateOptions,
 * } & LimitOptions} options `idleTimeout` is in seconds; 0 is off. Messages are
 *   compressed (RFC 7692) where `perMessageDeflate` and the client allow it.
 * @returns {{ socket: WebSocket, response: Response }}
 */
function upgradeWebSocket(request, options = { __proto__: null }) {
  let socket;
  const response = upgrade(request, options, (protocol) => {
    socket = createServerWebSocket({ protocol });
    return {
      opened: (id, extensions) => openServerWebSocket(socket, id, extensions),
      failed: (message) => failServerWebSocket(socket, message),
    };
  });
  return { socket, response };
}

/**
 * The same with a `WebSocketStream`, whose `opened` says when the client was
 * answered. While nobody reads, the client is not listened to, and not held to
 * be silent either.
 *
 * @returns {{ stream: WebSocketStream, response: Response }}
 */
function upgradeWebSocketStream(request, options = { __proto__: null }) {
  const {
    createServerWebSocketStream,
    failServerWebSocketStream,
    openServerWebSocketStream,
  } = loadStreams();
  let stream;
  const response = upgrade(request, options, (protocol) => {
    stream = createServerWebSocketStream();
    return {
      opened: (id, extensions) =>
        openServerWebSocketStream(stream, id, protocol, extensions),
      failed: (message) => failServerWebSocketStream(stream, message),
    };
  });
  return { stream, response };
}

/**
 * Claims the request's connection and returns the response that answers its
 * handshake. `create(protocol)` makes what the script gets of it.
 */
function upgrade(request, options, create) {
  if (!ObjectPrototypeIsPrototypeOf(RequestPrototype, request)) {
    throw new TypeError(
      `${prefix}: the first argument must be a Request`,
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
      `${prefix}: idleTimeout must be a number of seconds, 0 or more`,
    );
  }

  const deflate = convertPerMessageDeflate(options?.perMessageDeflate, prefix);
  const limits = convertLimits(options, prefix);

  const { opened, failed } = create(protocol);
  const verdict = isServerRequest(inner)
    ? inner.beginUpgrade({
      protocol,
      deflate,
      idleTimeout,
      limits,
      opened: (rid) => opened(rid, verdict.extensions),
      // Later, so that whoever gets the socket can listen first.
      failed: (message) =>
        PromisePrototypeThen(
          PromiseResolve(undefined),
          () => failed(message),
        ),
    })
    // A request that was not received: it can be answered, but there is no
    // connection to open.
    : readVerdict(
      op_http_websocket_handshake(request.method, inner.headerList, protocol),
    );

  const answer = new UpgradeResponse(() => answerHeaders(verdict, protocol));
  return fromInnerResponse(answer, "response");
}

function answerHeaders({ accept, extensions }, protocol) {
  const list = [
    ["upgrade", "websocket"],
    ["connection", "Upgrade"],
  ];
  if (accept !== "") {
    // HTTP/2 has no key to answer.
    ArrayPrototypePush(list, ["sec-websocket-accept", accept]);
  }
  if (protocol !== "") {
    ArrayPrototypePush(list, ["sec-websocket-protocol", protocol]);
  }
  if (extensions !== "") {
    ArrayPrototypePush(list, ["sec-websocket-extensions", extensions]);
  }
  return list;
}

export { upgradeWebSocket, upgradeWebSocketStream };
