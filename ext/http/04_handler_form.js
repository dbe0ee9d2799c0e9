// The handler form of `Deno.serve`, after Bun: a server whose handlers are in its options,
// `{ fetch, routes, error, websocket, tls, unix, ... }`, and what Bun's server object has.

import { core, primordials } from "ext:duplex_websocket/00_core.js";
import { defaultOnError } from "ext:duplex_http/00_answer.js";
import { isServerRequest } from "ext:duplex_http/00_request.js";
import {
  serve as serveRequests,
  SERVE_MEMBERS,
  ServeHandlerInfo,
  serverOf,
} from "ext:duplex_http/00_serve.js";
import { upgrader } from "ext:duplex_http/01_handlers.js";
import {
  checkMembers,
  membersOf,
} from "ext:duplex_websocket/00_known_members.js";

const { isAnyArrayBuffer } = core;
const {
  ArrayBufferIsView,
  ArrayIsArray,
  ArrayPrototypeJoin,
  ArrayPrototypeMap,
  FunctionPrototypeCall,
  NumberIsFinite,
  ObjectDefineProperty,
  ObjectPrototypeIsPrototypeOf,
  StringPrototypeIncludes,
  StringPrototypeStartsWith,
  TypeError,
} = primordials;

const {
  op_http_abort,
  op_http_pending_requests,
  op_http_shutdown,
  op_http_socket_count,
} = core.ops;

const { URL } = core.loadExtScript("ext:deno_web/00_url.js");
const { Request, RequestPrototype, toInnerRequest } = core.loadExtScript(
  "ext:deno_fetch/23_request.js",
);

const { Response } = core.loadExtScript("ext:deno_fetch/23_response.js");

const loadRoutes = core.createLazyLoader("ext:duplex_http/03_routes.js");

const prefix = "Cannot serve HTTP requests";

const MEMBERS = membersOf(
  ["error", "fetch", "id", "routes", "tls", "unix"],
  {
    __proto__: null,
    ...SERVE_MEMBERS,
    baseURI: "server.url is the address that is listened on",
    development: "there is no development mode",
    h3: "there is no HTTP/3",
    http3: "there is no HTTP/3",
    idleTimeout:
      "connections of HTTP have fixed times, those of WebSockets are websocket.idleTimeout",
    ipv6Only: "use a `hostname` of IPv6",
    static: "use `routes`",
  },
);
const RELOADED = ["error", "fetch", "onError", "routes", "websocket"];

/**
 * @param {object} options Deno's and Bun's, in one object
 * @param {boolean} isOwn whether this is the server that an embedder starts
 */
function serve(options, isOwn) {
  checkMembers(options, MEMBERS, prefix);
  const converted = readOptions(options);
  let inner;
  const server = serveRequests(
    converted,
    handlerOf(options),
    (server, options) => {
      inner = server;
      inner.Info = HandlerInfo;
      return upgrader(server, options);
    },
    isOwn,
  );
  inner.object = server;
  inner.form = options;
  defineMembers(server, () => inner);
  return server;
}

/** The handler's second argument: what Deno's has, and what Bun's has. */
class HandlerInfo extends ServeHandlerInfo {}

/** The options of Deno's names, those of Bun's names made into them. */
function readOptions(options) {
  const converted = { __proto__: null };
  for (const name in SERVE_MEMBERS) {
    const value = SERVE_MEMBERS[name] === true ? options[name] : undefined;
    if (value !== undefined) {
      converted[name] = value;
    }
  }
  const onListen = converted.onListen;
  if (typeof onListen === "function") {
    converted.onListen = (address) =>
      FunctionPrototypeCall(onListen, options, address);
  }
  converted.onError = errorHandlerOf(options);
  const { tls, unix } = options;
  if (tls !== undefined && tls !== null && tls !== false) {
    if (converted.cert !== undefined || converted.key !== undefined) {
      throw new TypeError(
        `${prefix}: give either \`tls\`, or \`cert\` and \`key\``,
      );
    }
    const { cert, key } = convertTls(tls);
    converted.cert = cert;
    converted.key = key;
  }
  if (unix !== undefined && unix !== null && unix !== "") {
    converted.path = `${unix}`;
  }
  return converted;
}

function errorHandlerOf(options, self = options) {
  const handler = options.onError ?? options.error ?? undefined;
  return typeof handler === "function"
    ? (error) => FunctionPrototypeCall(handler, self, error)
    : handler;
}

/** The method `fetch`, or undefined. */
function fetchOf(options, self = options) {
  const { fetch } = options;
  if (fetch === undefined || fetch === null) {
    return undefined;
  }
  if (typeof fetch !== "function") {
    throw new TypeError(
      `${prefix}: fetch must be a function, received ${typeof fetch}`,
    );
  }
  return (request, info) => FunctionPrototypeCall(fetch, self, request, info);
}

/** What answers requests: the routes, then `fetch`. */
function handlerOf(options, self = options) {
  const { routes } = options;
  const fetch = fetchOf(options, self);
  if (routes !== undefined && routes !== null) {
    return loadRoutes().createRouter(routes, fetch);
  }
  if (fetch === undefined) {
    throw new TypeError(
      `${prefix}: handler must be a function, received undefined`,
    );
  }
  return fetch;
}

const TLS_MEMBERS = membersOf(["cert", "key"], {
  __proto__: null,
  ca: "certificates of clients are not asked for",
  passphrase: "decrypt the key before: openssl pkey -in KEY",
  requestCert: "certificates of clients are not asked for",
  serverName: "a server has one certificate",
});

/** The certificate and the key of Bun's option `tls`, as PEM. */
function convertTls(tls) {
  if (ArrayIsArray(tls)) {
    if (tls.length !== 1) {
      throw new TypeError(`${prefix}: tls: a server has one certificate`);
    }
    tls = tls[0];
  }
  if (typeof tls !== "object" || tls === null) {
    throw new TypeError(`${prefix}: tls must be an object with cert and key`);
  }
  checkMembers(tls, TLS_MEMBERS, `${prefix}: tls`);
  return { cert: toPem(tls.cert, "cert"), key: toPem(tls.key, "key") };
}

function toPem(value, name) {
  if (typeof value === "string") {
    return value;
  }
  if (ArrayIsArray(value)) {
    return ArrayPrototypeJoin(
      ArrayPrototypeMap(value, (part) => toPem(part, name)),
      "\n",
    );
  }
  if (ArrayBufferIsView(value) || isAnyArrayBuffer(value)) {
    return core.decode(value);
  }
  throw new TypeError(
    `${prefix}: tls.${name} must be PEM, as a string or bytes. Read a file before: Deno.readTextFileSync(path)`,
  );
}

// What Bun's server has beyond Deno's; the handler's second argument has it too. Each takes
// the inner server first.

const GETTERS = {
  __proto__: null,
  development: () => false,
  hostname: ({ addr }) =>
    addr.transport === "unix" ? undefined : displayed(addr.hostname),
  id: ({ form }) => form.id === undefined ? "" : `${form.id}`,
  pendingRequests: ({ rid }) => op_http_pending_requests(rid),
  pendingWebSockets: ({ rid }) => op_http_socket_count(rid),
  port: ({ addr }) => addr.transport === "unix" ? undefined : addr.port,
  url: urlOf,
};

const METHODS = {
  __proto__: null,

  /** Calls the handler `fetch` with a request that no client has sent. */
  async fetch(server, request) {
    if (!ObjectPrototypeIsPrototypeOf(RequestPrototype, request)) {
      const isPath = typeof request === "string" &&
        StringPrototypeStartsWith(request, "/");
      request = new Request(isPath ? new URL(request, urlOf(server)) : request);
    }
    const fetch = fetchOf(server.form);
    return fetch === undefined
      ? new Response("Not Found", { __proto__: null, status: 404 })
      : await fetch(request, server.object);
  },

  /** Changes handlers. Sockets that are open keep theirs. */
  reload(server, changed) {
    const prefix = "Failed to execute 'reload'";
    if (typeof changed !== "object" || changed === null) {
      throw new TypeError(`${prefix}: options are needed`);
    }
    checkMembers(changed, MEMBERS, prefix);
    // What is not named stays as it is.
    const form = { __proto__: null, ...server.form };
    for (let i = 0; i < RELOADED.length; i++) {
      const name = RELOADED[i];
      form[name] = changed[name] ?? form[name];
    }
    const handler = handlerOf(form, changed);
    const upgrade = upgrader(server, form);
    server.handler = handler;
    server.upgrade = upgrade;
    server.onError = errorHandlerOf(form, changed) ?? defaultOnError;
    server.form = form;
    return server.object;
  },

  ref(server) {
    core.refOpPromise(server.ended);
  },

  unref(server) {
    core.unrefOpPromise(server.ended);
  },

  /** The address of the client of a request; null where it has none. */
  requestIP(_server, request) {
    const inner = innerOf(request);
    if (inner === undefined) {
      return null;
    }
    let address;
    try {
      address = inner.remoteAddr;
    } catch {
      // The request is over.
      return null;
    }
    const { hostname, port, transport } = address;
    if (transport === "unix") {
      return null;
    }
    return {
      address: hostname,
      family: StringPrototypeIncludes(hostname, ":") ? "IPv6" : "IPv4",
      port,
    };
  },

  /** Ends the server: after what is under way, or with it. */
  async stop(server, closeActiveConnections = false) {
    if (closeActiveConnections) {
      op_http_abort(server.rid);
    } else {
      op_http_shutdown(server.rid);
    }
    await server.finished;
  },

  /** For how many seconds the body of a request may bring nothing; 0 is for ever. */
  timeout(_server, request, seconds) {
    if (
      typeof seconds !== "number" || !NumberIsFinite(seconds) || seconds < 0
    ) {
      throw new TypeError(
        "Failed to execute 'timeout': it takes a number of seconds, 0 or more",
      );
    }
    innerOf(request)?.setTimeout(seconds);
  },
};

/** Defines them on `target`, for the inner server that `serverFor(this)` says. */
function defineMembers(target, serverFor) {
  for (const name in GETTERS) {
    ObjectDefineProperty(target, name, {
      __proto__: null,
      get() {
        return GETTERS[name](serverFor(this));
      },
      enumerable: true,
      configurable: true,
    });
  }
  for (const name in METHODS) {
    const { [name]: value } = {
      [name](a, b) {
        return METHODS[name](serverFor(this), a, b);
      },
    };
    ObjectDefineProperty(target, name, {
      __proto__: null,
      value,
      writable: true,
      enumerable: true,
      configurable: true,
    });
  }
}

defineMembers(HandlerInfo.prototype, serverOf);

/** The inner request of one that a server has received, or undefined. */
function innerOf(request) {
  const inner = ObjectPrototypeIsPrototypeOf(RequestPrototype, request)
    ? toInnerRequest(request)
    : undefined;
  return isServerRequest(inner) ? inner : undefined;
}

/** All addresses of the machine are reached by its name, too. */
function displayed(hostname) {
  return hostname === "0.0.0.0" || hostname === "::" ? "localhost" : hostname;
}

function urlOf({ addr: { transport, hostname, port, path }, isSecure }) {
  if (transport === "unix") {
    return new URL(`unix://${path}`);
  }
  const host = displayed(hostname);
  const authority = StringPrototypeIncludes(host, ":") ? `[${host}]` : host;
  return new URL(`${isSecure ? "https" : "http"}://${authority}:${port}/`);
}

export { MEMBERS, serve };
