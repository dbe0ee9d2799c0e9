// `Deno.upgradeWebSocket` and `Deno.upgradeWebSocketStream`: answer a handshake
// and open the server's end of the connection.

import { core, primordials } from "ext:duplex_websocket/00_core.js";
import { Upgrade, UpgradeResponse } from "ext:duplex_http/00_handshake.js";
import { checkOrigin, readVerdict } from "ext:duplex_http/00_refusal.js";
import { isServerRequest } from "ext:duplex_http/00_request.js";
import {
  boolean,
  convertLimits,
  convertPerMessageDeflate,
  seconds,
} from "ext:duplex_websocket/00_options.js";
import {
  checkMembers,
  membersOf,
} from "ext:duplex_websocket/00_known_members.js";
import { headers as headersPrototype } from "ext:duplex_websocket/00_prototypes.js";
import { checkProtocols } from "ext:duplex_websocket/00_dial.js";
import {
  createServerWebSocket,
  failServerWebSocket,
  openServerWebSocket,
} from "ext:duplex_websocket/02_server_websocket.js";

// Not from "ext:core/ops": what a snapshot holds has lost V8's fast calls.
const { op_http_websocket_handshake } = core.ops;

const {
  ArrayPrototypeIncludes,
  ArrayPrototypePush,
  FunctionPrototypeCall,
  ObjectPrototypeIsPrototypeOf,
  StringPrototypeToLowerCase,
  TypeError,
} = primordials;

const { fillHeaders, headerListFromHeaders, headersFromHeaderList } = core
  .loadExtScript("ext:deno_fetch/20_headers.js");
const { RequestPrototype, toInnerRequest } = core.loadExtScript(
  "ext:deno_fetch/23_request.js",
);
const { fromInnerResponse } = core.loadExtScript(
  "ext:deno_fetch/23_response.js",
);

// Proxies commonly drop a connection that was silent for 60 s.
const DEFAULT_IDLE_TIMEOUT = 30;
const DEFAULT_HANDSHAKE_TIMEOUT = 30;

const prefix = "Cannot upgrade to a WebSocket";

// What few programs use is not loaded for all.
const loadStreams = core.createLazyLoader(
  "ext:duplex_websocket/02_websocketstream.js",
);
const loadNodeSocket = core.createLazyLoader(
  "ext:duplex_http/00_node_socket.js",
);
const loadAllowedOrigins = core.createLazyLoader(
  "ext:duplex_http/00_allowed_origins.js",
);

/**
 * @param {Request} request
 * @param {{
 *   protocol?: string,
 *   headers?: HeadersInit,
 *   idleTimeout?: number,
 *   sendPings?: boolean,
 *   handshakeTimeout?: number,
 *   perMessageDeflate?: boolean | PerMessageDeflateOptions,
 *   allowedOrigins?: string[],
 *   socket?: object,
 *   head?: Uint8Array,
 * } & LimitOptions} options `socket` is what the event `upgrade` of a `node:http` server
 *   gave, and `head` what came behind the request: the handshake is answered there, and the
 *   response is for nobody. `headers` are added to the answer. The client may be silent
 *   for `idleTimeout` seconds, 0 is for ever (30), and is sent a Ping after half of them
 *   unless `sendPings` is false. The handler has `handshakeTimeout` seconds to return the
 *   response, 0 is without end (30). Messages are compressed (RFC 7692) where
 *   `perMessageDeflate` and the client allow it. A page that is not of `allowedOrigins`
 *   is answered 403.
 * @returns {{ socket: WebSocket, response: Response }}
 */
function upgradeWebSocket(request, options = undefined) {
  const converted = convertUpgradeOptions(options, prefix);
  let socket;
  const answer = upgradeRequest(
    request,
    options,
    (protocol, inner) => {
      socket = createServerWebSocket(protocol, inner);
      return socketUpgrade(protocol, converted, socket);
    },
  );
  return { socket, response: fromInnerResponse(answer, "response") };
}

/**
 * The same with a `WebSocketStream`, whose `opened` says when the client was
 * answered. While nobody reads, the client is not listened to, and not held to
 * be silent either.
 *
 * @returns {{ stream: WebSocketStream, response: Response }}
 */
function upgradeWebSocketStream(request, options = undefined) {
  const { createServerWebSocketStream } = loadStreams();
  const converted = convertUpgradeOptions(options, prefix);
  let stream;
  const answer = upgradeRequest(request, options, (protocol) => {
    stream = createServerWebSocketStream();
    return new Upgrade(protocol, converted, stream, STREAM);
  });
  return { stream, response: fromInnerResponse(answer, "response") };
}

/** The options that may be the same for all sockets of a server. */
const SHARED_MEMBERS = membersOf([
  "allowedOrigins",
  "backpressureLimit",
  "closeOnBackpressureLimit",
  "closeTimeout",
  "handshakeTimeout",
  "idleTimeout",
  "leastProgress",
  "maxControlFrames",
  "maxFragments",
  "maxPayloadLength",
  "maxTopicLength",
  "maxTopics",
  "perMessageDeflate",
  "sendPings",
]);
const UPGRADE_MEMBERS = membersOf(
  ["head", "headers", "protocol", "socket"],
  SHARED_MEMBERS,
);

/** Checks the options that may be the same for all sockets of a server. */
function convertUpgradeOptions(options, prefix, known = UPGRADE_MEMBERS) {
  if (options === undefined || options === null) {
    return DEFAULT_OPTIONS;
  }
  if (typeof options === "object") {
    checkMembers(options, known, prefix);
  }
  const { allowedOrigins } = options;
  return {
    idleTimeout: seconds(options?.idleTimeout, `${prefix}: idleTimeout`) ??
      DEFAULT_IDLE_TIMEOUT,
    sendPings: boolean(options?.sendPings, `${prefix}: sendPings`) ?? true,
    handshakeTimeout: seconds(
      options?.handshakeTimeout,
      `${prefix}: handshakeTimeout`,
    ) ?? DEFAULT_HANDSHAKE_TIMEOUT,
    deflate: convertPerMessageDeflate(options?.perMessageDeflate, prefix),
    allowedOrigins: allowedOrigins === undefined || allowedOrigins === null
      ? null
      : loadAllowedOrigins().convertAllowedOrigins(allowedOrigins, prefix),
    limits: convertLimits(options, prefix),
  };
}

const DEFAULT_OPTIONS = {
  idleTimeout: DEFAULT_IDLE_TIMEOUT,
  sendPings: true,
  handshakeTimeout: DEFAULT_HANDSHAKE_TIMEOUT,
  deflate: null,
  allowedOrigins: null,
  // Those that Rust has.
  limits: null,
};

/** Tells a `WebSocket` what became of its handshake. */
const SOCKET = {
  opened({ socket, id, extensions, request }) {
    openServerWebSocket(socket, id, extensions, request.serverPeer);
  },

  failed({ socket }, message) {
    failServerWebSocket(socket, message);
  },
};

/** Tells a `WebSocketStream`. */
const STREAM = {
  opened({ socket, id, protocol, extensions }) {
    loadStreams().openServerWebSocketStream(socket, id, protocol, extensions);
  },

  failed({ socket }, message) {
    loadStreams().failServerWebSocketStream(socket, message);
  },
};

/** The handshake of a server's `WebSocket`. */
function socketUpgrade(protocol, options, socket) {
  return new Upgrade(protocol, options, socket, SOCKET);
}

/**
 * Claims the request's connection and returns what answers its handshake, with the
 * options `protocol` and `headers`. `create(protocol, inner)` makes what the script gets of
 * it, and returns the {@linkcode Upgrade}.
 *
 * @returns {UpgradeResponse} the inner response of a `Response`
 */
function upgradeRequest(request, options, create) {
  if (!ObjectPrototypeIsPrototypeOf(RequestPrototype, request)) {
    throw new TypeError(
      `${prefix}: the first argument must be a Request`,
    );
  }
  const inner = toInnerRequest(request);
  const headers = convertHeaders(options?.headers);
  const protocol = `${options?.protocol ?? headers.protocol}`;
  if (protocol !== "") {
    checkProtocols([protocol]);
  }
  const place = (options?.socket ?? null) === null || isServerRequest(inner)
    ? null
    : loadNodeSocket().convertNodeSocket(options, prefix);
  const upgrade = create(protocol, inner);
  if (isServerRequest(inner)) {
    inner.beginUpgrade(upgrade);
  } else {
    checkCopy(inner, upgrade);
  }
  const answer = new UpgradeResponse(upgrade);
  for (let i = 0; i < headers.list.length; i++) {
    ArrayPrototypePush(answer.headerList, headers.list[i]);
  }
  if (place !== null) {
    loadNodeSocket().openOnNodeSocket(place, inner, upgrade, answer.headerList);
  }
  return answer;
}

/**
 * Checks the handshake in a copy of a request, or in one that no server has received. The
 * connection is found when the response is returned for the request that came on it.
 */
function checkCopy(inner, upgrade) {
  const { method, headerList } = inner;
  upgrade.agree(readVerdict(
    op_http_websocket_handshake(method, headerList, upgrade.protocol),
  ));
  const { allowedOrigins } = upgrade.options;
  if (allowedOrigins !== null) {
    checkOrigin(allowedOrigins, headerOf(headerList, "origin"), inner.url());
  }
}

/** The value of a header, its lines joined; null when there is none. */
function headerOf(list, name) {
  let value = null;
  for (let i = 0; i < list.length; i++) {
    if (StringPrototypeToLowerCase(list[i][0]) === name) {
      value = value === null ? list[i][1] : `${value}, ${list[i][1]}`;
    }
  }
  return value;
}

/**
 * The option `headers` as a list of pairs, without a subprotocol, which is `protocol`
 * then, as in Bun.
 */
function convertHeaders(init) {
  if (init === undefined || init === null) {
    return NOTHING_ADDED;
  }
  const converted = { list: NO_HEADERS, protocol: "" };
  const headers = headersFromHeaderList([], "response");
  fillHeaders(headers, init);
  converted.protocol =
    FunctionPrototypeCall(headersPrototype.get, headers, PROTOCOL) ?? "";
  FunctionPrototypeCall(headersPrototype.delete, headers, PROTOCOL);
  converted.list = headerListFromHeaders(headers);
  for (let i = 0; i < converted.list.length; i++) {
    const name = converted.list[i][0];
    if (ArrayPrototypeIncludes(OWN_HEADERS, StringPrototypeToLowerCase(name))) {
      throw new TypeError(
        `${prefix}: headers must not have ${name}, which the handshake sets itself`,
      );
    }
  }
  return converted;
}

const PROTOCOL = "sec-websocket-protocol";
const NO_HEADERS = [];
const NOTHING_ADDED = { list: NO_HEADERS, protocol: "" };

/** What the answer to a handshake says itself. */
const OWN_HEADERS = [
  "connection",
  "content-length",
  "sec-websocket-accept",
  "sec-websocket-extensions",
  "transfer-encoding",
  "upgrade",
];

export {
  convertUpgradeOptions,
  SHARED_MEMBERS,
  socketUpgrade,
  upgradeRequest,
  upgradeWebSocket,
  upgradeWebSocketStream,
};
