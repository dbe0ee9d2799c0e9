// `Worker` (HTML, section 10.2.6), and the code for messages that both ends of
// a worker's channel use.

(function () {
  const { core, primordials } = __bootstrap;
  const {
    op_worker_create,
    op_worker_outcome,
    op_worker_post,
    op_worker_post_raw,
    op_worker_receive,
  } = core.ops;
  const {
    ArrayIsArray,
    ArrayPrototypeFilter,
    ArrayPrototypeMap,
    Error,
    FunctionPrototypeCall,
    ObjectPrototypeIsPrototypeOf,
    SafeSet,
    SetPrototypeAdd,
    SetPrototypeHas,
    SymbolFor,
    SymbolIterator,
    TypeErrorPrototype,
  } = primordials;
  const webidl = core.loadExtScript("ext:deno_webidl/00_webidl.js");
  const { pathFromURL } = core.loadExtScript("ext:deno_web/00_infra.js");
  const { URL } = core.loadExtScript("ext:deno_web/00_url.js");
  const { DOMException } = core.loadExtScript(
    "ext:deno_web/01_dom_exception.js",
  );
  const {
    defineEventHandler,
    ErrorEvent,
    EventTarget,
    EventTargetPrototype,
    MessageEvent,
    setIsTrusted,
  } = core.loadExtScript("ext:deno_web/02_event.js");
  const { getLocationHref } = core.loadExtScript("ext:deno_web/12_location.js");
  const {
    deserializeJsMessageData,
    MessagePortPrototype,
    serializeJsMessageData,
  } = core.loadExtScript("ext:deno_web/13_message_port.js");
  const { dispatchEvent } = EventTargetPrototype;
  const { url: urlPrototype } = core.loadExtScript(
    "ext:duplex_websocket/00_prototypes.js",
  );

  // A message may contain objects of classes that this engine has not loaded
  // yet. These scripts register how such objects are read, and deno_core relies
  // on that.
  core.loadExtScript("ext:deno_crypto/00_crypto.js");
  core.loadExtScript("ext:deno_web/09_file.js");

  // Serializes the arguments of a `postMessage` for the ops, including
  // `transferables`. As in Deno, errors name MessagePort, because the code of
  // its method is used.
  function serialize(message, transferOrOptions, count) {
    const prefix = "Failed to execute 'postMessage' on 'MessagePort'";
    webidl.requiredArguments(count, 1, prefix);
    const transfer = toTransfer(transferOrOptions, prefix);
    const seen = new SafeSet();
    for (let i = 0; i < transfer.length; i++) {
      if (SetPrototypeHas(seen, transfer[i])) {
        throw new DOMException(
          `Object at index ${i} is in the transfer list already`,
          "DataCloneError",
        );
      }
      SetPrototypeAdd(seen, transfer[i]);
    }
    try {
      return serializeJsMessageData(message, transfer);
    } catch (error) {
      if (
        isQuickJS && ObjectPrototypeIsPrototypeOf(TypeErrorPrototype, error)
      ) {
        throw new DOMException(error.message, "DataCloneError");
      }
      throw error;
    }
  }

  // QuickJS throws a TypeError for a value that it cannot clone.
  const isQuickJS = core.ops.op_runtime_reserve_stack !== undefined;

  // Returns the list of objects to transfer, for both forms
  // `postMessage(message, transfer)` and `postMessage(message, { transfer })`.
  function toTransfer(transferOrOptions, prefix) {
    if (
      webidl.type(transferOrOptions) === "Object" &&
      transferOrOptions[SymbolIterator] !== undefined
    ) {
      return webidl.converters["sequence<object>"](
        transferOrOptions,
        prefix,
        "Argument 2",
      );
    }
    return webidl.converters.StructuredSerializeOptions(
      transferOrOptions,
      prefix,
      "Argument 2",
    ).transfer;
  }

  const isMessagePort = (object) =>
    ObjectPrototypeIsPrototypeOf(MessagePortPrototype, object);

  // Fires `message` at `target`, or `messageerror` if the message cannot be
  // read.
  function dispatchMessage(target, data) {
    let event;
    try {
      const { 0: message, 1: transferred } = deserializeJsMessageData(data);
      const ports = transferred.length === 0
        ? undefined
        : ArrayPrototypeFilter(transferred, isMessagePort);
      event = new MessageEvent("message", { data: message, ports });
      if (message === undefined) {
        // The constructor treats undefined as a member that is missing.
        event.data = undefined;
      }
    } catch (error) {
      event = new MessageEvent("messageerror", { data: error });
    }
    dispatch(target, event);
  }

  function dispatch(target, event) {
    setIsTrusted(event, true);
    return FunctionPrototypeCall(dispatchEvent, target, event);
  }

  webidl.converters.WorkerType = webidl.createEnumConverter("WorkerType", [
    "classic",
    "module",
  ]);

  // Permissions that take paths.
  const PATHS = ["ffi", "read", "run", "write"];
  const OTHERS = ["env", "import", "net", "sys"];

  // Converts `deno.permissions` to the form for the op.
  function toPermissions(permissions) {
    if (permissions === undefined || permissions === null) {
      return null;
    }
    if (typeof permissions !== "object") {
      return permissions;
    }
    const result = { __proto__: null };
    for (let i = 0; i < PATHS.length; i++) {
      const list = permissions[PATHS[i]];
      result[PATHS[i]] = ArrayIsArray(list)
        ? ArrayPrototypeMap(list, (path) => pathFromURL(path))
        : list;
    }
    for (let i = 0; i < OTHERS.length; i++) {
      result[OTHERS[i]] = permissions[OTHERS[i]];
    }
    return result;
  }

  class Worker extends EventTarget {
    // Null after the worker has ended.
    #rid = null;

    constructor(specifier, options = { __proto__: null }) {
      const prefix = "Failed to construct 'Worker'";
      webidl.requiredArguments(arguments.length, 1, prefix);
      super();
      this[webidl.brand] = webidl.brand;
      let url = webidl.converters.USVString(specifier, prefix, "Argument 1");
      const { deno, name, type } = options ?? { __proto__: null };
      const workerType = webidl.converters.WorkerType(
        type === undefined ? "classic" : type,
      );
      const base = getLocationHref();
      if (base !== undefined) {
        url = FunctionPrototypeCall(urlPrototype.href, new URL(url, base));
      }
      this.#rid = op_worker_create({
        url,
        name: name === undefined
          ? ""
          : webidl.converters.DOMString(name, prefix, "'name' of 'options'"),
        isClassic: workerType === "classic",
        permissions: toPermissions(deno?.permissions),
      });
      this.#receive();
    }

    async #receive() {
      const rid = this.#rid;
      while (true) {
        const data = await op_worker_receive(rid);
        // A message that comes after `terminate()` is dropped.
        if (this.#rid === null) {
          return;
        }
        if (data === null) {
          break;
        }
        dispatchMessage(this, data);
        if (this.#rid === null) {
          return;
        }
      }
      const failure = op_worker_outcome(rid);
      this.terminate();
      if (failure !== null) {
        this.#fail(failure);
      }
    }

    #fail({ message, fileName, lineNumber, columnNumber }) {
      const fire = (target) =>
        dispatch(
          target,
          new ErrorEvent("error", {
            cancelable: true,
            message,
            filename: fileName ?? undefined,
            lineno: lineNumber ?? undefined,
            colno: columnNumber ?? undefined,
            error: null,
          }),
        );
      // As in Deno, only an error in a script is also reported to the global
      // object.
      const isHandled = !fire(this) || (fileName !== null && !fire(globalThis));
      if (!isHandled) {
        throw new Error("Unhandled error in child worker.");
      }
    }

    postMessage(message, transferOrOptions = { __proto__: null }) {
      webidl.assertBranded(this, WorkerPrototype);
      const data = serialize(message, transferOrOptions, arguments.length);
      if (this.#rid === null) {
        return;
      }
      if (data.transferables.length === 0) {
        op_worker_post_raw(this.#rid, data.data);
      } else {
        op_worker_post(this.#rid, data);
      }
    }

    terminate() {
      webidl.assertBranded(this, WorkerPrototype);
      if (this.#rid !== null) {
        const rid = this.#rid;
        this.#rid = null;
        core.close(rid);
      }
    }

    [SymbolFor("Deno.privateCustomInspect")](inspect, inspectOptions) {
      const { createFilteredInspectProxy } = core.loadExtScript(
        "ext:deno_web/01_console.js",
      );
      return inspect(
        createFilteredInspectProxy({
          object: this,
          evaluate: ObjectPrototypeIsPrototypeOf(WorkerPrototype, this),
          keys: ["onerror", "onmessage", "onmessageerror"],
        }),
        inspectOptions,
      );
    }
  }
  defineEventHandler(Worker.prototype, "error");
  defineEventHandler(Worker.prototype, "message");
  defineEventHandler(Worker.prototype, "messageerror");
  webidl.configureInterface(Worker);
  const WorkerPrototype = Worker.prototype;

  return { dispatchMessage, serialize, Worker };
})();
