// `Deno.serve` with a handler: a server hands each request to the handler and takes a response
// from it. Both are the classes of fetch.

import { core, internals, primordials } from "ext:duplex_websocket/00_core.js";
import {
  answer,
  defaultOnError,
  log,
  recover,
} from "ext:duplex_http/00_answer.js";
import { listen } from "ext:duplex_http/00_listen.js";
import { ServerRequest } from "ext:duplex_http/00_request.js";
import {
  checkMembers,
  membersOf,
} from "ext:duplex_websocket/00_known_members.js";
import {
  broker,
  convertTopics,
  flush,
  publish,
  publishRecorded,
  shareTopics,
  subscriberCount,
} from "ext:duplex_http/00_topics.js";

// Not from "ext:core/ops": what a snapshot holds has lost V8's fast calls.
const {
  op_http_numbers,
  op_http_abort,
  op_http_release,
  op_http_serve_connection,
  op_http_shutdown,
  op_http_wait,
} = core.ops;
const {
  ArrayPrototypeShift,
  ArrayPrototypeSplice,
  MapPrototypeGet,
  ObjectPrototypeIsPrototypeOf,
  PromisePrototypeThen,
  PromiseResolve,
  SafeMap,
  SymbolAsyncDispose,
  TypeError,
} = primordials;

const { fromInnerRequest } = core.loadExtScript("ext:deno_fetch/23_request.js");
const { ResponsePrototype } = core.loadExtScript(
  "ext:deno_fetch/23_response.js",
);

const {
  eventRequest: EVENT_REQUEST,
  eventEnded: EVENT_ENDED,
  eventOpened: EVENT_OPENED,
} = op_http_numbers();

// What few programs use is not loaded for all.
const loadMetrics = core.createLazyLoader("ext:duplex_http/00_metrics.js");

class ServeHandlerInfo {
  #inner;

  constructor(inner) {
    this.#inner = inner;
  }

  static serverOf(info) {
    return info.#inner.server;
  }

  get remoteAddr() {
    return this.#inner.remoteAddr;
  }

  get completed() {
    return this.#inner.completed;
  }

  /** As that of the server. */
  upgrade(request, options = undefined) {
    const { server } = this.#inner;
    return server.upgrade(request, options);
  }

  /** As that of the server. */
  publish(topic, data, options = undefined) {
    return publish(this.#inner.server, arguments.length, topic, data, options);
  }

  /** As that of the server. */
  publishRecorded(topic, data) {
    return publishRecorded(this.#inner.server, arguments.length, topic, data);
  }

  /** As that of the server. */
  subscriberCount(topic) {
    return subscriberCount(this.#inner.server, arguments.length, topic);
  }

  /** As that of the server. */
  flush() {
    return flush(this.#inner.server);
  }

  /** As that of the server. */
  get broker() {
    return broker(this.#inner.server);
  }

  /** As that of the server. */
  metrics() {
    return loadMetrics().metrics();
  }
}

const { serverOf } = ServeHandlerInfo;

function handle(server, id) {
  const inner = new ServerRequest(id, server);
  let result;
  try {
    const request = fromInnerRequest(inner, "immutable");
    inner.request = request;
    inner.isInTurn = true;
    const { handler, Info, traceRequest } = server;
    result = traceRequest === undefined
      ? handler(request, new Info(inner))
      : traceRequest(inner, () => handler(request, new Info(inner)));
  } catch (error) {
    inner.endTurn();
    recover(server, inner, error);
    return;
  }
  if (ObjectPrototypeIsPrototypeOf(ResponsePrototype, result)) {
    answer(server, inner, result);
    return;
  }
  inner.endTurn();
  PromisePrototypeThen(
    PromiseResolve(result),
    (response) => answer(server, inner, response),
    (error) => recover(server, inner, error),
  );
}

/**
 * @param {Function | object} arg1 the handler, or options
 * @param {Function=} arg2 the handler after options
 * @param {(server: object, options: object) => Function} upgrader makes the server's
 *   `upgrade()`
 * @param {boolean} isOwn whether this is the server that an embedder starts, which may
 *   listen on its `OwnAddress`
 */
function serve(arg1, arg2, upgrader, isOwn) {
  internals.hasServed = true;
  let options;
  let handler;
  if (typeof arg1 === "function") {
    handler = arg1;
  } else if (typeof arg2 === "function") {
    handler = arg2;
    options = arg1;
  } else {
    options = arg1;
  }
  if (handler === undefined) {
    if (options === undefined) {
      throw new TypeError(
        "Cannot serve HTTP requests: either a `handler` or `options` must be specified",
      );
    }
    handler = options.handler;
  }
  if (typeof handler !== "function") {
    throw new TypeError(
      `Cannot serve HTTP requests: handler must be a function, received ${typeof handler}`,
    );
  }
  return startServer(
    options ?? { __proto__: null },
    handler,
    upgrader,
    isOwn,
  );
}

/** The options of `Deno.serve` in Deno's form. */
const SERVE_MEMBERS = membersOf(
  [
    "alpnProtocols",
    "automaticCompression",
    "cert",
    "certFile",
    "handler",
    "hostname",
    "key",
    "keyFile",
    "maxHeaderSize",
    "maxRequestBodySize",
    "onError",
    "onListen",
    "parallel",
    "path",
    "port",
    "reusePort",
    "signal",
    "tcpBacklog",
    "topics",
    "transport",
    "websocket",
  ],
  {
    __proto__: null,
    cid: "servers listen on TCP and unix sockets",
    error: "use `onError`",
    tls: "use `cert` and `key`, in PEM",
    unix: "use `path`",
  },
);

function startServer(options, handler, upgrader, isOwn) {
  checkMembers(options, SERVE_MEMBERS, "Cannot serve HTTP requests");
  if (options.automaticCompression) {
    throw new TypeError(
      "Cannot serve HTTP requests: the option `automaticCompression` is not supported: compress bodies with a CompressionStream, or in a proxy",
    );
  }
  const { signal, onListen, onError = defaultOnError, parallel } = options;
  if (typeof onError !== "function") {
    throw new TypeError("Invalid type for onError: must be a function");
  }
  if (onListen !== undefined && typeof onListen !== "function") {
    throw new TypeError("Invalid type for onListen: must be a function");
  }
  if (
    signal !== undefined && signal !== null &&
    typeof signal.addEventListener !== "function"
  ) {
    throw new TypeError("Invalid type for signal: must be an AbortSignal");
  }
  if (
    parallel !== undefined && parallel !== null && typeof parallel !== "boolean"
  ) {
    throw new TypeError(
      "Invalid type for parallel: must be a boolean. `duplex serve --parallel=N` sets the number of event loops",
    );
  }
  const topics = convertTopics(options);
  const isShared = isOwn || parallel === true;

  const server = {
    __proto__: null,
    handler,
    onError,
    upgrade: undefined,
    rid: undefined,
    addr: undefined,
    isSecure: false,
    peer: null,
    // Pending until the server has ended.
    ended: undefined,
    finished: undefined,
    // What the handler gets beside the request.
    Info: ServeHandlerInfo,
    // There where the environment asks for spans.
    traceRequest: internals.traceRequest,
    // Of the handler form: what it was started with, and what the script has of it.
    form: undefined,
    object: undefined,
    // Exchanges whose end somebody waits for.
    watched: new SafeMap(),
    // The handshakes that were answered and whose sockets are about to open.
    opening: [],
  };
  server.upgrade = upgrader(server, options);
  const dispatch = dispatcher(server, (id) => handle(server, id));

  const { rid, addr, loops, greeting, isSecure } = listen(
    options,
    dispatch,
    isOwn,
    isShared,
  );
  server.rid = rid;
  server.addr = addr;
  server.isSecure = isSecure;
  try {
    shareTopics(rid, topics);
  } catch (error) {
    core.close(rid);
    throw error;
  }
  if (addr.transport === "unix") {
    server.peer = { remoteAddr: addr };
  }

  const stop = () => op_http_abort(rid);
  if (signal?.aborted) {
    stop();
  } else {
    signal?.addEventListener("abort", stop, { __proto__: null, once: true });
  }

  const ended = op_http_wait(rid);
  const finished = PromisePrototypeThen(ended, () => {
    signal?.removeEventListener("abort", stop);
  });
  server.ended = ended;
  server.finished = finished;

  if (loops === 0) {
    // Another event loop accepts, and has told.
  } else if (onListen !== undefined) {
    onListen(addr);
  } else {
    log("info", loops === 1 ? greeting : `${greeting} with ${loops} threads`);
  }

  return {
    addr,
    finished,
    upgrade: (request, options = undefined) => server.upgrade(request, options),
    publish(topic, data, options = undefined) {
      return publish(server, arguments.length, topic, data, options);
    },
    publishRecorded(topic, data) {
      return publishRecorded(server, arguments.length, topic, data);
    },
    subscriberCount(topic) {
      return subscriberCount(server, arguments.length, topic);
    },
    flush: () => flush(server),
    get broker() {
      return broker(server);
    },
    metrics: () => loadMetrics().metrics(),
    async shutdown() {
      op_http_shutdown(rid);
      await finished;
    },
    ref() {
      core.refOpPromise(ended);
    },
    unref() {
      core.unrefOpPromise(ended);
    },
    [SymbolAsyncDispose]() {
      return this.shutdown();
    },
  };
}

/** The handshake of exchange `id`. It is the first, as long as sockets open in order. */
function takeOpening(opening, id) {
  let index = 0;
  while (opening[index].exchange !== id) {
    index++;
  }
  return index === 0
    ? ArrayPrototypeShift(opening)
    : ArrayPrototypeSplice(opening, index, 1)[0];
}

// What the server calls: with each request, with the end of an exchange, and when a
// socket opens.
function dispatcher(server, onRequest) {
  return (event, id) => {
    if (event === EVENT_REQUEST) {
      onRequest(id);
      return;
    }
    if (event === EVENT_OPENED) {
      const upgrade = takeOpening(server.opening, id);
      upgrade.opened(upgrade.id);
      return;
    }
    const inner = MapPrototypeGet(server.watched, id);
    if (inner !== undefined) {
      inner.ended(event === EVENT_ENDED);
    } else {
      op_http_release(id);
    }
  };
}

/**
 * Serves one connection that the script has accepted.
 *
 * @param {Deno.Conn} conn is lost to the script
 * @param {(request: ServerRequest) => void} onRequest
 * @returns {{ rid: number, ended: Promise<void> }} `ended` when the connection is
 *   closed or has become a WebSocket's
 */
function serveConnection(conn, onRequest) {
  const server = {
    __proto__: null,
    onError: (error) => log("error", error),
    addr: conn.localAddr,
    peer: conn.localAddr.transport === "unix"
      ? { __proto__: null, remoteAddr: conn.localAddr }
      : null,
    watched: new SafeMap(),
    opening: [],
  };
  const rid = op_http_serve_connection(
    dispatcher(server, (id) => onRequest(new ServerRequest(id, server))),
    conn[core.internalRidSymbol],
  );
  return { rid, ended: op_http_wait(rid) };
}

export { serve, SERVE_MEMBERS, serveConnection, ServeHandlerInfo, serverOf };
