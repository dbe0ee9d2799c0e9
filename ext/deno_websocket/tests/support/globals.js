// The globals of the tests: those of Deno that they use, loaded from where Deno loads them.

import { core, internals } from "ext:core/mod.js";

const load = (specifier) => core.loadExtScript(specifier);

const event = load("ext:deno_web/02_event.js");
const timers = load("ext:deno_web/02_timers.js");
const { AbortController } = load("ext:deno_web/03_abort_signal.js");
const { DOMException } = load("ext:deno_web/01_dom_exception.js");
const { Blob } = load("ext:deno_web/09_file.js");
const { Headers } = load("ext:deno_fetch/20_headers.js");
const { Request } = load("ext:deno_fetch/23_request.js");
const { Response } = load("ext:deno_fetch/23_response.js");

globalThis.tell = core.ops.op_tell;
internals.log = (_level, text) => core.print(`${text}\n`, true);

Object.assign(globalThis, {
  AbortController,
  Blob,
  clearTimeout: timers.clearTimeout,
  CloseEvent: event.CloseEvent,
  DOMException,
  ErrorEvent: event.ErrorEvent,
  Event: event.Event,
  EventTarget: event.EventTarget,
  Headers,
  MessageEvent: event.MessageEvent,
  Request,
  Response,
  setTimeout: timers.setTimeout,
  Deno: {
    build: { os: "linux" },
    errors: { Http: Error },
    createHttpClient: load("ext:deno_fetch/22_http_client.js").createHttpClient,
    listen: load("ext:deno_net/01_net.js").listen,
  },
});
const { registerDeclarativeServer, serve } = load("ext:deno_http/00_serve.ts");
Object.assign(Deno, {
  registerDeclarativeServer,
  serve,
  serveHttp: load("ext:deno_http/01_http.js").serveHttp,
  upgradeWebSocket: load("ext:deno_http/02_websocket.ts").upgradeWebSocket,
});
/** That of duplex, which speaks HTTP/2 too. */
const loadOwn = core.createLazyLoader("ext:duplex_websocket/00_http_client.js");
globalThis.createHttpClient = (options) => loadOwn().createHttpClient(options);

const lazily = (specifier, names) => {
  const loader = core.createLazyLoader(specifier);
  for (const name of names) {
    Object.defineProperty(globalThis, name, {
      get: () => loader()[name],
      configurable: true,
    });
  }
};
lazily("ext:deno_websocket/01_websocket.js", ["WebSocket"]);
lazily("ext:deno_websocket/02_websocketstream.js", [
  "WebSocketError",
  "WebSocketStream",
]);

/** Fails the test where `actual` is not `expected`. */
globalThis.is = (actual, expected, what) => {
  const text = JSON.stringify(actual);
  if (text !== JSON.stringify(expected)) {
    throw new Error(`${what}: ${text}, and not ${JSON.stringify(expected)}`);
  }
};

/** Resolves with the next event of `type`. */
globalThis.next = (target, type) =>
  new Promise((resolve) =>
    target.addEventListener(type, resolve, { once: true })
  );

/**
 * A server each of whose sockets is handed to `onSocket`, with the Host of the request, and how to
 * reach it.
 */
globalThis.serve = (onSocket, options = {}, upgrade = {}) => {
  const server = Deno.serve(
    { port: 0, onListen() {}, ...options },
    (request) => {
      // An upgraded request cannot be read.
      const host = request.headers.get("host");
      const { response, socket } = Deno.upgradeWebSocket(request, upgrade);
      onSocket(socket, host);
      return response;
    },
  );
  return { server, url: `ws://127.0.0.1:${server.addr.port}/` };
};

// As deno_runtime does before it runs a program: modules that are loaded later have no ops.
for (const name of Object.keys(core.ops)) {
  delete core.ops[name];
}
