// `Deno.permissions`.

(function () {
  const { core, primordials } = __bootstrap;
  const {
    op_permission_query,
    op_permission_request,
    op_permission_revoke,
  } = core.ops;
  const {
    ArrayPrototypeIncludes,
    MapPrototypeGet,
    MapPrototypeSet,
    PromiseReject,
    PromiseResolve,
    SafeMap,
    Symbol,
    SymbolFor,
    TypeError,
  } = primordials;
  const { pathFromURL } = core.loadExtScript("ext:deno_web/00_infra.js");
  const { Event, EventTarget, defineEventHandler } = core.loadExtScript(
    "ext:deno_web/02_event.js",
  );

  const NAMES = [
    "read",
    "write",
    "net",
    "env",
    "sys",
    "run",
    "ffi",
    "import",
  ];
  // For each permission, the member of a descriptor that narrows it.
  const DETAILS = {
    __proto__: null,
    read: "path",
    write: "path",
    ffi: "path",
    net: "host",
    import: "host",
    env: "variable",
    sys: "kind",
    run: "command",
  };

  const constructorKey = Symbol("constructorKey");

  class PermissionStatus extends EventTarget {
    #found;

    constructor(found = undefined, key = undefined) {
      if (key !== constructorKey) {
        throw new TypeError("Illegal constructor");
      }
      super();
      this.#found = found;
    }

    get state() {
      return this.#found.state;
    }

    get partial() {
      return this.#found.partial;
    }

    [SymbolFor("Deno.privateCustomInspect")](inspect, inspectOptions) {
      const object = { state: this.state, onchange: this.onchange };
      if (this.partial) {
        object.partial = true;
      }
      return `PermissionStatus ${inspect(object, inspectOptions)}`;
    }
  }
  defineEventHandler(PermissionStatus.prototype, "change");

  // There is one status object for each descriptor, so that code that asked
  // earlier gets the `change` events too.
  const known = new SafeMap();

  function statusOf(descriptor, found) {
    const detail = descriptor[DETAILS[descriptor.name]];
    const key = detail === undefined
      ? descriptor.name
      : `${descriptor.name}\0${detail}`;
    const earlier = MapPrototypeGet(known, key);
    if (earlier === undefined) {
      const status = new PermissionStatus(found, constructorKey);
      MapPrototypeSet(known, key, { found, status });
      return status;
    }
    if (
      earlier.found.state !== found.state ||
      earlier.found.partial !== found.partial
    ) {
      earlier.found.state = found.state;
      earlier.found.partial = found.partial;
      earlier.status.dispatchEvent(new Event("change"));
    }
    return earlier.status;
  }

  // A descriptor with only the members that the ops read.
  function normalize(descriptor) {
    const name = descriptor?.name;
    if (!ArrayPrototypeIncludes(NAMES, name)) {
      throw new TypeError(
        `The provided value "${name}" is not a valid permission name`,
      );
    }
    const key = DETAILS[name];
    let detail = descriptor[key];
    if (detail !== undefined) {
      detail = key === "path" || key === "command"
        ? pathFromURL(detail)
        : detail;
      detail = `${detail}`;
    }
    return { name, [key]: detail };
  }

  function ask(op, descriptor) {
    const normalized = normalize(descriptor);
    return statusOf(normalized, op(normalized));
  }

  function settle(op, descriptor) {
    try {
      return PromiseResolve(ask(op, descriptor));
    } catch (error) {
      return PromiseReject(error);
    }
  }

  class Permissions {
    constructor(key = undefined) {
      if (key !== constructorKey) {
        throw new TypeError("Illegal constructor");
      }
    }

    query(descriptor) {
      return settle(op_permission_query, descriptor);
    }

    querySync(descriptor) {
      return ask(op_permission_query, descriptor);
    }

    request(descriptor) {
      return settle(op_permission_request, descriptor);
    }

    requestSync(descriptor) {
      return ask(op_permission_request, descriptor);
    }

    revoke(descriptor) {
      return settle(op_permission_revoke, descriptor);
    }

    revokeSync(descriptor) {
      return ask(op_permission_revoke, descriptor);
    }
  }

  return {
    Permissions,
    permissions: new Permissions(constructorKey),
    PermissionStatus,
  };
})();
