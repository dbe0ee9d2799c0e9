// `Deno.watchFs`.

(function () {
  const { core, primordials } = __bootstrap;
  const { op_fs_events_open, op_fs_events_poll } = core.ops;
  const { BadResourcePrototype, InterruptedPrototype } = core;
  const {
    ArrayIsArray,
    ArrayPrototypeMap,
    ObjectPrototypeIsPrototypeOf,
    PromiseResolve,
    SymbolAsyncIterator,
    SymbolDispose,
    TypeError,
  } = primordials;
  const { pathFromURL } = core.loadExtScript("ext:deno_web/00_infra.js");

  // Only `watchFs` can make a watcher, because only it has this token.
  const token = { __proto__: null };

  class FsWatcher {
    #rid;
    #next;
    #isRef = true;

    constructor(key, rid) {
      if (key !== token) {
        throw new TypeError("Illegal constructor");
      }
      this.#rid = rid;
    }

    ref() {
      this.#isRef = true;
      if (this.#next !== undefined) {
        core.refOpPromise(this.#next);
      }
    }

    unref() {
      this.#isRef = false;
      if (this.#next !== undefined) {
        core.unrefOpPromise(this.#next);
      }
    }

    async next() {
      if (this.#rid === undefined) {
        return { value: undefined, done: true };
      }
      try {
        const next = op_fs_events_poll(this.#rid);
        this.#next = next;
        if (!this.#isRef) {
          core.unrefOpPromise(next);
        }
        const value = await next;
        if (value === null || value === undefined) {
          return { value: undefined, done: true };
        }
        return { value, done: false };
      } catch (error) {
        // The watcher was closed.
        if (
          ObjectPrototypeIsPrototypeOf(BadResourcePrototype, error) ||
          ObjectPrototypeIsPrototypeOf(InterruptedPrototype, error)
        ) {
          this.#rid = undefined;
          return { value: undefined, done: true };
        }
        throw error;
      }
    }

    return(value) {
      this.close();
      return PromiseResolve({ value, done: true });
    }

    close() {
      const rid = this.#rid;
      if (rid !== undefined) {
        this.#rid = undefined;
        core.tryClose(rid);
      }
    }

    [SymbolAsyncIterator]() {
      return this;
    }

    [SymbolDispose]() {
      this.close();
    }
  }

  /** Converts one path or an array of paths to strings. */
  function toPaths(paths) {
    return ArrayPrototypeMap(
      ArrayIsArray(paths) ? paths : [paths],
      (path) => pathFromURL(path),
    );
  }

  function watchFs(paths, options = { __proto__: null }) {
    const { recursive = true, ignore = [] } = options;
    return new FsWatcher(
      token,
      op_fs_events_open(!!recursive, toPaths(ignore), toPaths(paths)),
    );
  }

  return { watchFs };
})();
