// Sets up the global object. The module's body runs when a snapshot is made,
// or at start-up where there is none; `mainRuntime` runs at every start.

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

// Before a script can change what it takes.
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
  // Listeners on `process`, if the program has made any.
  if (!rejection.defaultPrevented) {
    internals.nodeProcessUnhandledRejectionCallback?.(rejection);
  }
  // When false, the rejection becomes the program's uncaught error.
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

// How an uncaught exception that is not an Error reads.
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

// Lets what is under way in this turn finish, then exits.
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

// The engines' own `Math.random` takes a seed before the first worker or not
// at all, so a seeded one is put in its place (mulberry32).
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

// What all programs start with, the main one and its workers.
function start() {
  if (started) {
    throw new Error("The runtime has started already");
  }
  started = true;

  // The core's own way in must not stay for the program to find.
  delete globalThis.__bootstrap;
  delete globalThis.bootstrap;

  // As in Deno: the accessor is a way to pollute prototypes.
  if (!op_runtime_unsafe_proto()) {
    delete ObjectPrototype.__proto__;
  }
  // As in Deno: not a standard's.
  if (typeof Intl !== "undefined") {
    delete Intl.v8BreakIterator;
  }

  // The first call makes the core look for the engine's own function behind
  // the property and loses the property's attributes over it.
  const { queueMicrotask } = globalThis;
  queueMicrotask(() => {});
  defineValue(globalThis, "queueMicrotask", queueMicrotask, true);

  internals.isQuiet = op_serve_is_quiet();

  // What is logged is told to the debugger, too.
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
    // What V8 has only when its flags ask for it.
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

// A method that engines have or have not, for deno_node.
const method = (value) =>
  typeof value === "function" ? uncurryThis(value) : undefined;

// What the modules of Node.js start with when the first of them is loaded. A process
// that another one has a channel to must be one of Node.js from the start.
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

/** Whoever runs what is to be served would see nothing happen. */
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
    // A getter of the program, or nobody who reads it.
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
  // As in Deno: the main module is the main program's.
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
  // False when a listener prevented the default.
  dispatchBeforeUnloadEvent: () =>
    dispatch(new event.Event("beforeunload", { cancelable: true })),
  dispatchUnloadEvent: () => {
    dispatch(new event.Event("unload"));
  },
  // True when a listener on `process` has found something to do.
  dispatchBeforeExit: () =>
    internals.dispatchProcessBeforeExitEvent?.() ?? false,
  dispatchExit: () => {
    internals.dispatchProcessExitEvent?.();
  },
};
