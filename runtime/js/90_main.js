// Sets up the global object. The module's body runs when a snapshot is made, or
// at start-up if there is no snapshot. `mainRuntime` runs at every start of a
// program, and `workerRuntime` at every start of a worker.

import { core, internals, primordials } from "ext:core/mod.js";
import {
  op_get_env_no_permission_check,
  op_node_has_child_ipc_pipe,
  op_runtime_args,
  op_runtime_is_inspected,
  op_runtime_location,
  op_runtime_seed,
  op_runtime_stderr_no_color,
  op_runtime_telemetry,
  op_runtime_unsafe_proto,
  op_runtime_uses_node_modules,
  op_runtime_versions,
  op_serve_is_quiet,
  op_set_format_exception_callback,
} from "ext:core/ops";
import { defineValue, materialize } from "ext:duplex_runtime/12_lazy.js";
import {
  defineGlobals,
  defineLocation,
  loadConsole,
  setTimeOrigin,
} from "ext:duplex_runtime/20_globals.js";
import {
  createDenoNamespace,
  defineVersion,
} from "ext:duplex_runtime/30_deno_ns.js";
import { errors } from "ext:duplex_runtime/01_errors.js";
const {
  Error,
  ErrorPrototype,
  FunctionPrototypeCall,
  MathImul,
  ObjectDefineProperties,
  ObjectDefineProperty,
  ObjectHasOwn,
  ObjectPrototype,
  ObjectPrototypeIsPrototypeOf,
  ObjectSetPrototypeOf,
  PromisePrototypeThen,
  PromiseResolve,
  Uint8ArrayPrototype,
  uncurryThis,
} = primordials;

// These scripts are loaded before a program can change the objects that they
// use.
core.loadExtScript("ext:duplex_websocket/00_prototypes.js");
core.loadExtScript("ext:duplex_websocket/00_event_internals.js");
const event = core.loadExtScript("ext:deno_web/02_event.js");
const { Window } = core.loadExtScript("ext:deno_web/04_global_interfaces.js");
const { dispatchEvent } = event.EventTargetPrototype;

const dispatch = (event) =>
  FunctionPrototypeCall(dispatchEvent, globalThis, event);

const Deno = createDenoNamespace();
defineGlobals(globalThis);

core.setUnhandledPromiseRejectionHandler((promise, reason) => {
  const rejection = new event.PromiseRejectionEvent("unhandledrejection", {
    cancelable: true,
    promise,
    reason,
  });
  dispatch(rejection);
  // Calls the listeners on `process`, if there are any.
  if (!rejection.defaultPrevented) {
    internals.nodeProcessUnhandledRejectionCallback?.(rejection);
  }
  // If this is false, the rejection becomes the uncaught error of the program.
  return rejection.defaultPrevented;
});
core.setHandledPromiseRejectionHandler((promise, reason) => {
  const handled = new event.PromiseRejectionEvent("rejectionhandled", {
    promise,
    reason,
  });
  dispatch(handled);
  internals.nodeProcessRejectionHandledCallback?.(handled);
});

// The text of an uncaught exception that is not an Error.
function formatException(thrown) {
  if (
    core.isNativeError(thrown) ||
    ObjectPrototypeIsPrototypeOf(ErrorPrototype, thrown)
  ) {
    return null;
  }
  const { getDefaultInspectOptions, inspectArgs, quoteString } = loadConsole();
  const options = { colors: !op_runtime_stderr_no_color() };
  const text = typeof thrown === "string"
    ? quoteString(thrown, getDefaultInspectOptions())
    : thrown;
  return `Uncaught ${inspectArgs([text], options)}`;
}

let closing = false;

// Exits after the work of this turn.
function close() {
  if (closing) {
    return;
  }
  closing = true;
  const exit = () => core.loadExtScript("ext:deno_os/30_os.js").exit(0);
  PromisePrototypeThen(
    PromiseResolve(),
    () => core.createSystemTimer(exit, 0, true),
  );
}

// The engines can seed their own `Math.random` only before the first worker
// starts, or not at all. So it is replaced by a seeded generator (mulberry32).
function seedMathRandom(seed) {
  let state = seed | 0;
  // deno-lint-ignore prefer-primordials -- no script has run
  ObjectDefineProperty(Math, "random", {
    __proto__: null,
    value: function random() {
      state = (state + 0x6d2b79f5) | 0;
      let mixed = MathImul(state ^ (state >>> 15), 1 | state);
      mixed = (mixed + MathImul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
      return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
    },
    writable: true,
    enumerable: false,
    configurable: true,
  });
}

let started = false;

// The start that the main program and its workers have in common.
function start() {
  if (started) {
    throw new Error("The runtime has started already");
  }
  started = true;

  // The program must not be able to reach the internals of deno_core.
  delete globalThis.__bootstrap;
  delete globalThis.bootstrap;

  // As in Deno, this accessor is removed because it is a way to pollute
  // prototypes.
  if (!op_runtime_unsafe_proto()) {
    delete ObjectPrototype.__proto__;
  }
  // As in Deno, this member is removed because it is in no standard.
  if (typeof Intl !== "undefined") {
    delete Intl.v8BreakIterator;
  }

  // At the first call, deno_core replaces the property by the engine's own
  // function and loses the property's attributes.
  const { queueMicrotask } = globalThis;
  queueMicrotask(() => {});
  defineValue(globalThis, "queueMicrotask", queueMicrotask, true);

  internals.isQuiet = op_serve_is_quiet();

  // Console messages also go to the debugger.
  if (op_runtime_is_inspected()) {
    core.wrapConsole(internals.globalConsole(), core.v8Console);
  }

  const telemetry = op_runtime_telemetry();
  if (telemetry !== null) {
    const { bootstrap, otelState } = core.loadExtScript(
      "ext:deno_telemetry/telemetry.ts",
    );
    bootstrap(telemetry);
    if (otelState.TRACING_ENABLED) {
      const load = core.loadExtScript;
      internals.traceDial = load("ext:duplex_websocket/00_tracing.js")
        .traceDial;
      internals.traceRequest = load("ext:duplex_http/00_tracing.js")
        .traceRequest;
    }
  }

  const versions = op_runtime_versions();
  core.setBuildInfo(versions.target);
  defineVersion(Deno, versions);
  if (versions.engine === "quickjs") {
    // V8 has these only if its flags ask for them.
    delete globalThis.gc;
    delete globalThis.ShadowRealm;
  }

  setTimeOrigin();
  const seed = op_runtime_seed();
  if (seed !== null) {
    seedMathRandom(seed);
  }

  ObjectDefineProperty(globalThis, "Deno", core.propReadOnly(Deno));

  core.setReportExceptionCallback(event.reportException);
  op_set_format_exception_callback(formatException);
  core.setWasmStreamingCallback((source, rid) =>
    core.loadExtScript("ext:deno_fetch/26_fetch.js")
      .handleWasmStreaming(source, rid)
  );
}

// For deno_node, a method that not all engines have.
const method = (value) =>
  typeof value === "function" ? uncurryThis(value) : undefined;

// Prepares the start of Node.js's modules, which happens when the first of them
// is loaded. If another process has a channel to this one, Node.js's modules
// must start at once.
function prepareNode({ isMain, ...options }) {
  internals.uint8ArrayToHex = method(Uint8ArrayPrototype.toHex);
  internals.uint8ArraySetFromHex = method(Uint8ArrayPrototype.setFromHex);
  const { version } = Deno;
  const args = {
    __proto__: null,
    ...options,
    runningOnMainThread: isMain,
    get argv0() {
      return "duplex";
    },
    get denoArgs() {
      return op_runtime_args();
    },
    denoVersion: version,
    get nodeDebug() {
      return op_get_env_no_permission_check("NODE_DEBUG") ?? undefined;
    },
    get usesLocalNodeModulesDir() {
      return op_runtime_uses_node_modules();
    },
  };
  if (options.isNode || (isMain && op_node_has_child_ipc_pipe())) {
    loadProcess();
    loadModule();
    const { nodeBootstrap } = globalThis;
    delete globalThis.nodeBootstrap;
    nodeBootstrap(args);
  } else {
    internals.__nodeBootstrapArgs = args;
  }
}

const loadProcess = core.createLazyLoader("node:process");
const loadModule = core.createLazyLoader("node:module");

function mainRuntime() {
  start();
  prepareNode({ isMain: true });
  defineLocation(globalThis, op_runtime_location());
  ObjectDefineProperties(globalThis, {
    close: core.propWritable(close),
    closed: core.propGetterOnly(() => closing),
    name: core.propWritable(""),
  });
  ObjectSetPrototypeOf(globalThis, Window.prototype);
}

/**
 * Warns a user who used `duplex run` for a program that should be served,
 * because otherwise nothing would happen.
 */
function suggestServe(namespace) {
  if (internals.hasServed || !ObjectHasOwn(namespace, "default")) {
    return;
  }
  try {
    if (typeof namespace.default?.fetch === "function") {
      core.print(
        "Warning: this program exports a server and starts none: " +
          "did you mean `duplex serve`?\n",
        true,
      );
    }
  } catch {
    // A getter of the program has thrown, or standard error is closed.
  }
}

const loadServe = () => core.loadExtScript("ext:duplex_runtime/41_serve.js");
const loadWorkerScope = () =>
  core.loadExtScript("ext:duplex_runtime/40_worker_scope.js");

function workerRuntime() {
  start();
  const thread = loadWorkerScope().defineWorkerScope(
    globalThis,
    op_runtime_location(),
  );
  prepareNode({ ...thread, isMain: false, isNode: thread !== undefined });
  // As in Deno, only the main program has a main module.
  delete Deno.mainModule;
}

globalThis.bootstrap = {
  mainRuntime,
  workerRuntime,
  startMessages: () => {
    loadWorkerScope().startMessages();
  },
  awaitsMessages: () => loadWorkerScope().awaitsMessages(),
  serve: (namespace) => loadServe().serve(namespace, errors),
  afterMainModule: suggestServe,
  materialize,
  dispatchLoadEvent: () => {
    dispatch(new event.Event("load"));
  },
  // Returns false if a listener prevented the default.
  dispatchBeforeUnloadEvent: () =>
    dispatch(new event.Event("beforeunload", { cancelable: true })),
  dispatchUnloadEvent: () => {
    dispatch(new event.Event("unload"));
  },
  // Returns true if a listener on `process` has started new work.
  dispatchBeforeExit: () =>
    internals.dispatchProcessBeforeExitEvent?.() ?? false,
  dispatchExit: () => {
    internals.dispatchProcessExitEvent?.();
  },
};
