// What deno_runtime loads under the name of Deno's own file: `Deno.serve`, and what `deno serve`
// makes of a module.

(function () {
  const { core, internals, primordials } = __bootstrap;
  const { op_http_notify_serving } = core.ops;
  const {
    FunctionPrototypeCall,
    ObjectHasOwn,
    PromisePrototypeThen,
    ReflectDefineProperty,
    StringPrototypeIncludes,
    TypeError,
  } = primordials;

  const { otelState } = core.loadExtScript("ext:deno_telemetry/telemetry.ts");

  const load = (specifier) => core.createLazyLoader(specifier)();

  const { serve: serveRequests } = load(
    "ext:duplex_http/02_websocket_handler.js",
  );

  // As `op_http_notify_serving()` takes it.
  const DENO_SERVE = 1;

  if (otelState.TRACING_ENABLED) {
    internals.traceDial = load("ext:duplex_websocket/00_tracing.js").traceDial;
    internals.traceRequest = load("ext:duplex_http/00_tracing.js").traceRequest;
  }

  // deno_runtime has the list of the members of `Deno`. This one is added when a program first
  // asks for `Deno.serve`.
  ReflectDefineProperty(globalThis.Deno, "upgradeWebSocketStream", {
    __proto__: null,
    value: load("ext:duplex_http/01_upgrade.js").upgradeWebSocketStream,
    enumerable: true,
    writable: true,
    configurable: true,
  });

  function serve(arg1, arg2) {
    const server = serveRequests(arg1, arg2);
    op_http_notify_serving(DENO_SERVE);
    return server;
  }

  /**
   * @param {object} exported the default export of the main module
   * @returns {Function | undefined} what starts its server, if it is one
   */
  function registerDeclarativeServer(exported) {
    if (!ObjectHasOwn(exported, "fetch")) {
      return undefined;
    }
    if (typeof exported.fetch !== "function") {
      throw new TypeError("Invalid type for fetch: must be a function");
    }
    const { onListen } = exported;
    if (onListen !== undefined && typeof onListen !== "function") {
      throw new TypeError("Invalid type for onListen: must be a function");
    }
    return ({ servePort, serveHost, workerCountWhenMain }) => {
      const options = load("ext:duplex_http/05_exported.js")
        .readExported(exported);
      delete options.path;
      options.port = servePort;
      options.hostname = serveHost;
      const isSecure = options.cert !== undefined || options.tls !== undefined;
      // Each worker listens too, and the system deals out the connections.
      options.reusePort = workerCountWhenMain === undefined ||
        workerCountWhenMain === null || workerCountWhenMain > 0;
      options.onListen = (address) => {
        if (workerCountWhenMain === undefined || workerCountWhenMain === null) {
          return;
        }
        if (onListen !== undefined) {
          FunctionPrototypeCall(onListen, exported, address);
          return;
        }
        tell(address, isSecure, workerCountWhenMain);
      };
      endWithSignals(serve(options));
    };
  }

  function tell({ hostname, port }, isSecure, workers) {
    const host = StringPrototypeIncludes(hostname, ":")
      ? `[${hostname}]`
      : hostname;
    const target = `http${isSecure ? "s" : ""}://${host}:${port}/`;
    const threads = workers > 0 ? ` with ${workers + 1} threads` : "";
    internals.log(
      "info",
      `%cdeno serve%c: Listening on %c${target}%c${threads}`,
      "color: green",
      "color: inherit",
      "color: yellow",
      "color: inherit",
    );
  }

  /** The first signal shuts down. A second one ends the process, as if nobody listened. */
  function endWithSignals(server) {
    const { addSignalListener, removeSignalListener } = core.loadExtScript(
      "ext:deno_os/40_signals.js",
    );
    const end = () => {
      removeSignalListener("SIGTERM", end);
      removeSignalListener("SIGINT", end);
      PromisePrototypeThen(server.shutdown(), undefined, () => {});
    };
    try {
      addSignalListener("SIGTERM", end);
      addSignalListener("SIGINT", end);
    } catch {
      // There are none here: what the system does by itself is left.
    }
  }

  // deno_runtime reads them from this file once. duplex has no servers of a listener that the
  // script made, no trailers, and no warning.
  internals.addTrailers = undefined;
  internals.serveHttpOnListener = undefined;
  internals.serveHttpOnConnection = undefined;
  internals.resetLegacyAbortWarning = undefined;

  return { registerDeclarativeServer, serve };
})();
