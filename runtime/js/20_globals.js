// What a program finds on the global object, but for `Deno`.

import { core, internals, primordials } from "ext:core/mod.js";
import {
  op_runtime_stderr_no_color,
  op_runtime_stdout_no_color,
} from "ext:core/ops";
import { defineLazy, defineValue } from "ext:duplex_runtime/12_lazy.js";
const {
  ObjectDefineProperties,
  ObjectDefineProperty,
  ObjectGetOwnPropertyDescriptor,
  ObjectGetOwnPropertyNames,
  ObjectHasOwn,
  ObjectKeys,
  ReflectApply,
  Symbol,
  SymbolAsyncDispose,
  SymbolDispose,
} = primordials;

const event = core.loadExtScript("ext:deno_web/02_event.js");
const webidl = core.loadExtScript("ext:deno_webidl/00_webidl.js");
const globalInterfaces = core.loadExtScript(
  "ext:deno_web/04_global_interfaces.js",
);

// Interfaces by the script that defines them.
const INTERFACES = {
  __proto__: null,
  "ext:deno_web/00_url.js": ["URL", "URLSearchParams"],
  "ext:deno_web/01_broadcast_channel.js": ["BroadcastChannel"],
  "ext:deno_web/01_dom_exception.js": ["DOMException", "QuotaExceededError"],
  "ext:deno_web/01_urlpattern.js": ["URLPattern"],
  "ext:deno_web/03_abort_signal.js": ["AbortController", "AbortSignal"],
  "ext:deno_web/06_streams.js": [
    "ByteLengthQueuingStrategy",
    "CountQueuingStrategy",
    "ReadableByteStreamController",
    "ReadableStream",
    "ReadableStreamBYOBReader",
    "ReadableStreamBYOBRequest",
    "ReadableStreamDefaultController",
    "ReadableStreamDefaultReader",
    "TransformStream",
    "TransformStreamDefaultController",
    "WritableStream",
    "WritableStreamDefaultController",
    "WritableStreamDefaultWriter",
  ],
  "ext:deno_web/08_text_encoding.js": [
    "TextDecoder",
    "TextDecoderStream",
    "TextEncoder",
    "TextEncoderStream",
  ],
  "ext:deno_web/09_file.js": ["Blob", "File"],
  "ext:deno_web/10_filereader.js": ["FileReader"],
  "ext:deno_web/13_message_port.js": ["MessageChannel", "MessagePort"],
  "ext:deno_web/14_compression.js": [
    "CompressionStream",
    "DecompressionStream",
  ],
  "ext:deno_web/15_performance.js": [
    "Performance",
    "PerformanceEntry",
    "PerformanceMark",
    "PerformanceMeasure",
    "PerformanceObserver",
    "PerformanceObserverEntryList",
  ],
  "ext:deno_web/16_image_data.js": ["ImageData"],
  "ext:deno_web/17_geometry.js": [
    "DOMMatrix",
    "DOMMatrixReadOnly",
    "DOMPoint",
    "DOMPointReadOnly",
    "DOMQuad",
    "DOMRect",
    "DOMRectReadOnly",
  ],
  "ext:deno_web/locks.js": ["Lock", "LockManager"],
  "ext:deno_crypto/00_crypto.js": ["Crypto", "CryptoKey", "SubtleCrypto"],
  "ext:deno_fetch/20_headers.js": ["Headers"],
  "ext:deno_fetch/21_formdata.js": ["FormData"],
  "ext:deno_fetch/23_request.js": ["Request"],
  "ext:deno_fetch/23_response.js": ["Response"],
  "ext:deno_fetch/27_eventsource.js": ["EventSource"],
  "ext:duplex_runtime/11_navigator.js": ["Navigator"],
  "ext:duplex_runtime/11_workers.js": ["Worker"],
  "ext:duplex_websocket/01_websocket.js": ["CloseEvent", "WebSocket"],
  "ext:duplex_websocket/02_websocketstream.js": [
    "WebSocketError",
    "WebSocketStream",
  ],
};

// Functions by the script that defines them.
const FUNCTIONS = {
  __proto__: null,
  "node:timers": [
    "clearImmediate",
    "clearInterval",
    "clearTimeout",
    "setImmediate",
    "setInterval",
    "setTimeout",
  ],
  "ext:deno_web/05_base64.js": ["atob", "btoa"],
  "ext:deno_web/13_message_port.js": ["structuredClone"],
  "ext:deno_fetch/26_fetch.js": ["fetch"],
  "ext:duplex_runtime/13_prompt.js": ["alert", "confirm", "prompt"],
};

// What Deno has of Node.js's globals beside the timers, by the module that exports them.
const NODE = {
  __proto__: null,
  "node:buffer": ["Buffer"],
};

// For sockets whose messages come as one.
internals.loadBuffer = () => load("node:buffer").Buffer;

// The ES modules among the scripts, all of them of deno_node.
const MODULES = {
  __proto__: null,
  "node:buffer": core.createLazyLoader("node:buffer"),
  "node:process": core.createLazyLoader("node:process"),
  "node:timers": core.createLazyLoader("node:timers"),
};

// What does not go into a snapshot: modules whose ops must be fast (a snapshot
// keeps the slow ones), and what few programs use. All programs pay for what is
// in it.
const LATE = {
  __proto__: null,
  "ext:deno_fetch/21_formdata.js": true,
  "ext:deno_fetch/22_http_client.js": true,
  "ext:deno_fetch/26_fetch.js": true,
  "ext:deno_fetch/27_eventsource.js": true,
  "ext:deno_fs/30_fs.js": true,
  "ext:deno_io/12_io.js": true,
  "ext:deno_net/01_net.js": true,
  "ext:deno_net/02_tls.js": true,
  "ext:deno_os/40_signals.js": true,
  "ext:deno_process/40_process.js": true,
  "ext:deno_web/01_broadcast_channel.js": true,
  "ext:deno_web/01_urlpattern.js": true,
  "ext:deno_web/10_filereader.js": true,
  "ext:deno_web/14_compression.js": true,
  "ext:deno_web/16_image_data.js": true,
  "ext:deno_web/17_geometry.js": true,
  "ext:deno_web/locks.js": true,
  "ext:duplex_http/00_serve.js": true,
  "ext:duplex_http/01_upgrade.js": true,
  "ext:duplex_http/02_websocket_handler.js": true,
  "ext:duplex_http/05_serve_http.js": true,
  "ext:duplex_runtime/10_permissions.js": true,
  "ext:duplex_runtime/11_workers.js": true,
  "ext:duplex_runtime/13_prompt.js": true,
  "ext:duplex_runtime/14_fs_events.js": true,
  "ext:duplex_websocket/00_http_client.js": true,
  "ext:duplex_websocket/02_websocketstream.js": true,
  "node:buffer": true,
  "node:timers": true,
};

let performanceLoaded = false;
let timeOriginKnown = false;

function loadPerformance() {
  const script = core.loadExtScript("ext:deno_web/15_performance.js");
  if (!performanceLoaded) {
    performanceLoaded = true;
    if (timeOriginKnown) {
      script.setTimeOrigin();
    }
  }
  return script;
}

// A snapshot must not hold the time of its making.
function setTimeOrigin() {
  timeOriginKnown = true;
  if (performanceLoaded) {
    loadPerformance().setTimeOrigin();
  }
}

// The script of Blob puts these on URL when it is loaded, and they load it.
function loadURL() {
  const script = core.loadExtScript("ext:deno_web/00_url.js");
  const { URL } = script;
  const names = ["createObjectURL", "revokeObjectURL"];
  for (let i = 0; i < names.length; i++) {
    const name = names[i];
    if (!ObjectHasOwn(URL, name)) {
      defineLazy(URL, name, () => {
        core.loadExtScript("ext:deno_web/09_file.js");
        return URL[name];
      }, { late: true });
    }
  }
  return script;
}

let consoleLoaded = false;

let globalConsole;

// The global object's first console.
function console() {
  const { Console } = loadConsole();
  return globalConsole ??= new Console((message, level) =>
    core.print(message, level > 1)
  );
}
internals.globalConsole = console;

function loadConsole() {
  const script = core.loadExtScript("ext:deno_web/01_console.js");
  if (!consoleLoaded) {
    consoleLoaded = true;
    script.setNoColorFns(
      () => op_runtime_stdout_no_color(),
      () => op_runtime_stderr_no_color(),
    );
    if (core.ops.op_runtime_reserve_stack !== undefined) {
      reserveStack(core.ops.Console.prototype);
      reserveStack(script);
    }
  }
  return script;
}

/**
 * Has the methods of `target` throw where too little of QuickJS's stack is left
 * for what they call in Rust.
 */
function reserveStack(target) {
  const { op_runtime_reserve_stack } = core.ops;
  const names = ObjectGetOwnPropertyNames(target);
  for (let i = 0; i < names.length; i++) {
    const name = names[i];
    const { value } = ObjectGetOwnPropertyDescriptor(target, name);
    if (!GUARDED[name] || typeof value !== "function") {
      continue;
    }
    const guarded = {
      [name](...args) {
        op_runtime_reserve_stack();
        return ReflectApply(value, this, args);
      },
    };
    ObjectDefineProperty(target, name, {
      __proto__: null,
      value: guarded[name],
    });
  }
}

/** The functions that inspect any value. */
const GUARDED = {
  __proto__: null,
  assert: true,
  debug: true,
  dir: true,
  error: true,
  info: true,
  inspect: true,
  inspectArgs: true,
  log: true,
  table: true,
  timeLog: true,
  trace: true,
  warn: true,
};

function load(specifier) {
  switch (specifier) {
    case "ext:deno_web/00_url.js":
      return loadURL();
    case "ext:deno_web/01_console.js":
      return loadConsole();
    case "ext:deno_web/15_performance.js":
      return loadPerformance();
    default:
      return MODULES[specifier]?.() ?? core.loadExtScript(specifier);
  }
}

// Defines the names in `table` on `target`, to load when they are used.
function defineTable(target, table, enumerable) {
  const specifiers = ObjectKeys(table);
  for (let i = 0; i < specifiers.length; i++) {
    const specifier = specifiers[i];
    const names = table[specifier];
    const options = { enumerable, late: LATE[specifier] };
    for (let j = 0; j < names.length; j++) {
      const name = names[j];
      defineLazy(target, name, () => load(specifier)[name], options);
    }
  }
}

// What does not depend on how the program was started, so that it can be in a
// snapshot.
function defineGlobals(global) {
  defineTable(global, INTERFACES, false);
  defineTable(global, FUNCTIONS, true);
  defineTable(global, NODE, true);
  defineLazy(global, "process", () => load("node:process").default, {
    late: true,
  });
  defineLazy(global, "global", () => globalThis, { enumerable: false });

  const events = [
    "CustomEvent",
    "ErrorEvent",
    "Event",
    "EventTarget",
    "MessageEvent",
    "ProgressEvent",
    "PromiseRejectionEvent",
  ];
  for (let i = 0; i < events.length; i++) {
    defineValue(global, events[i], event[events[i]], false);
  }
  defineValue(global, "Window", globalInterfaces.Window, false);
  defineValue(global, "reportError", event.reportError, true);
  defineLazy(global, "console", console, { enumerable: false });
  defineLazy(global, "performance", () => loadPerformance().performance);

  ObjectDefineProperties(global, {
    crypto: core.propGetterOnly(() =>
      core.loadExtScript("ext:deno_crypto/00_crypto.js").crypto
    ),
    navigator: core.propGetterOnly(() =>
      core.loadExtScript("ext:duplex_runtime/11_navigator.js").navigator
    ),
    self: core.propGetterOnly(() => globalThis),
    [webidl.brand]: core.propNonEnumerable(webidl.brand),
  });

  event.setEventTargetData(global);
  event.saveGlobalThisReference(global);
  const handlers = [
    "error",
    "load",
    "beforeunload",
    "unload",
    "unhandledrejection",
    "rejectionhandled",
  ];
  for (let i = 0; i < handlers.length; i++) {
    // As in Deno, `onerror` too gets the event and not the five arguments
    // that a browser's `window.onerror` gets.
    event.defineEventHandler(global, handlers[i]);
  }

  // Well-known symbols that an engine may lack.
  const symbols = {
    __proto__: null,
    asyncDispose: SymbolAsyncDispose,
    dispose: SymbolDispose,
    metadata: core.loadExtScript("ext:deno_web/00_infra.js").SymbolMetadata,
  };
  const names = ObjectKeys(symbols);
  for (let i = 0; i < names.length; i++) {
    // deno-lint-ignore prefer-primordials -- no script has run
    if (Symbol[names[i]] === undefined) {
      ObjectDefineProperty(Symbol, names[i], {
        __proto__: null,
        value: symbols[names[i]],
        writable: false,
        enumerable: false,
        configurable: false,
      });
    }
  }
}

// `location`: with an address it is the standard's; without one it is
// undefined and the program may put its own there.
function defineLocation(global, href) {
  const specifier = "ext:deno_web/12_location.js";
  defineLazy(
    global,
    "Location",
    () => core.loadExtScript(specifier).locationConstructorDescriptor.value,
    { enumerable: false },
  );
  if (href === null) {
    defineValue(global, "location", undefined, false);
    return;
  }
  const location = core.loadExtScript(specifier);
  location.setLocationHref(href);
  ObjectDefineProperty(global, "location", location.locationDescriptor);
}

export {
  console,
  defineGlobals,
  defineLocation,
  defineTable,
  load,
  loadConsole,
  setTimeOrigin,
};
