// The global object of a worker (HTML, section 10.2.1), which is made from the
// global object of a main program.

(function () {
  const { core, primordials } = __bootstrap;
  const {
    op_worker_scope,
    op_worker_scope_close,
    op_worker_scope_exit_code,
    op_worker_scope_metadata,
    op_worker_scope_post,
    op_worker_scope_post_raw,
    op_worker_scope_receive,
    op_worker_scope_script,
    op_worker_scope_stop,
  } = core.ops;
  const {
    ArrayPrototypePush,
    ObjectDefineProperties,
    ObjectSetPrototypeOf,
    PromisePrototypeThen,
    PromiseResolve,
    TypeError,
  } = primordials;
  const { URL } = core.loadExtScript("ext:deno_web/00_url.js");
  const { DOMException } = core.loadExtScript(
    "ext:deno_web/01_dom_exception.js",
  );
  const { defineEventHandler, listenerCount } = core.loadExtScript(
    "ext:deno_web/02_event.js",
  );
  const messagePort = core.loadExtScript("ext:deno_web/13_message_port.js");
  const interfaces = core.loadExtScript(
    "ext:deno_web/04_global_interfaces.js",
  );
  const location = core.loadExtScript("ext:deno_web/12_location.js");
  const { defineWorkerNavigator } = core.loadExtScript(
    "ext:duplex_runtime/11_navigator.js",
  );
  const { dispatchMessage, serialize } = core.loadExtScript(
    "ext:duplex_runtime/11_workers.js",
  );

  // The properties that a worker's global object does not have.
  const OF_WINDOW = [
    "Location",
    "Navigator",
    "Window",
    "alert",
    "confirm",
    "onbeforeunload",
    "onload",
    "onunload",
    "prompt",
  ];

  function postMessage(message, transferOrOptions = { __proto__: null }) {
    const data = serialize(message, transferOrOptions, arguments.length);
    if (data.transferables.length === 0) {
      op_worker_scope_post_raw(data.data);
    } else {
      op_worker_scope_post(data);
    }
  }

  let isClosing = false;

  // Ends the worker when the running script has ended.
  function close() {
    if (!isClosing) {
      isClosing = true;
      op_worker_scope_close();
      PromisePrototypeThen(PromiseResolve(), stop);
    }
  }

  // Ends the worker at once. This function does not return.
  function stop(code) {
    isClosing = true;
    op_worker_scope_exit_code(code | 0);
    op_worker_scope_close();
    op_worker_scope_stop();
    while (true);
  }

  // The first half of `importScripts` reads all scripts, and the second half
  // runs them in their order (HTML, section 10.3.1).
  function importScripts(...urls) {
    if (!isClassic) {
      throw new TypeError("Module scripts don't support importScripts()");
    }
    const base = location.getLocationHref();
    const targets = [];
    for (let i = 0; i < urls.length; i++) {
      try {
        ArrayPrototypePush(targets, new URL(urls[i], base).href);
      } catch {
        throw new DOMException(
          `"${urls[i]}" is not a URL`,
          "SyntaxError",
        );
      }
    }
    const scripts = [];
    for (let i = 0; i < targets.length; i++) {
      const script = op_worker_scope_script(targets[i]);
      if (script === null) {
        stop();
      }
      ArrayPrototypePush(scripts, script);
    }
    for (let i = 0; i < scripts.length; i++) {
      const { text, url } = scripts[i];
      const { 1: failure } = core.evalContext(text, url);
      if (failure !== null) {
        throw failure.thrown;
      }
    }
  }

  async function startMessages() {
    while (true) {
      const received = op_worker_scope_receive();
      if (isNode) {
        // As in Node.js, a listener keeps the thread alive, but waiting for a
        // message does not.
        core.unrefOpPromise(received);
      }
      const data = await received;
      if (data === null || isClosing) {
        return;
      }
      dispatchMessage(globalThis, data);
    }
  }

  // Whether a thread of node:worker_threads has a listener that waits for
  // messages.
  function awaitsMessages() {
    return !isClosing &&
      ((listenerCount(globalThis, "message") > 0 &&
        !globalThis[messagePort.unrefParentPort]) ||
        messagePort.refedMessagePortsCount > 0);
  }

  let isClassic = false;
  let isNode = false;

  // Makes `global` the scope of the worker with the script at `href`.
  function defineWorkerScope(global, href) {
    const scope = op_worker_scope();
    isClassic = scope.isClassic;
    isNode = scope.nodeId !== null;
    for (let i = 0; i < OF_WINDOW.length; i++) {
      delete global[OF_WINDOW[i]];
    }
    location.setLocationHref(href);
    ObjectDefineProperties(global, {
      DedicatedWorkerGlobalScope:
        interfaces.dedicatedWorkerGlobalScopeConstructorDescriptor,
      WorkerGlobalScope: interfaces.workerGlobalScopeConstructorDescriptor,
      WorkerLocation: location.workerLocationConstructorDescriptor,
      close: core.propNonEnumerable(close),
      importScripts: core.propWritable(importScripts),
      location: location.workerLocationDescriptor,
      name: core.propWritable(scope.name),
      postMessage: core.propWritable(postMessage),
    });
    const { WorkerNavigator, navigator } = defineWorkerNavigator();
    ObjectDefineProperties(global, {
      WorkerNavigator: core.propNonEnumerable(WorkerNavigator),
      navigator: core.propGetterOnly(() => navigator),
    });
    // Unlike in the main program, the handler gets the five arguments of an
    // OnErrorEventHandler, as in Deno and in browsers.
    defineEventHandler(global, "error", undefined, true);
    defineEventHandler(global, "message");
    defineEventHandler(global, "messageerror");
    ObjectSetPrototypeOf(
      global,
      interfaces.DedicatedWorkerGlobalScope.prototype,
    );
    core.loadExtScript("ext:deno_os/30_os.js").setExitHandler(stop);
    if (!isNode) {
      return undefined;
    }
    // Threads of Node.js do not have these properties.
    delete global.WorkerGlobalScope;
    delete global.importScripts;
    delete global.self;
    const metadata = op_worker_scope_metadata();
    return {
      workerId: scope.nodeId,
      maybeWorkerMetadata: metadata === null
        ? undefined
        : messagePort.deserializeJsMessageData(metadata),
      moduleSpecifier: href,
    };
  }

  return { awaitsMessages, defineWorkerScope, startMessages };
})();
