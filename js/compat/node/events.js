// node:events

import { invalidArgType } from "node:internal/errors";

const kCapture = Symbol.for("nodejs.rejection");
const errorMonitor = Symbol("events.errorMonitor");

/** A function, so that `EventEmitter.call(this)` of old classes works. */
function EventEmitter() {
  EventEmitter.init.call(this);
}

EventEmitter.init = function () {
  if (
    this._events === undefined ||
    this._events === Object.getPrototypeOf(this)._events
  ) {
    this._events = { __proto__: null };
  }
  this._maxListeners ??= undefined;
};

EventEmitter.defaultMaxListeners = 10;
EventEmitter.prototype._events = undefined;
EventEmitter.prototype._maxListeners = undefined;

function checkListener(listener) {
  if (typeof listener !== "function") {
    throw invalidArgType("listener", "of type function", listener);
  }
}

function add(emitter, name, listener, prepend) {
  checkListener(listener);
  emitter._events ??= { __proto__: null };
  if (emitter._events.newListener !== undefined) {
    emitter.emit("newListener", name, listener.listener ?? listener);
  }
  const listeners = emitter._events[name];
  if (listeners === undefined) {
    emitter._events[name] = [listener];
    return emitter;
  }
  // A list that is being called stays as it is.
  emitter._events[name] = prepend
    ? [listener, ...listeners]
    : [...listeners, listener];
  const most = emitter.getMaxListeners();
  const count = emitter._events[name].length;
  if (most > 0 && count === most + 1) {
    console.warn(
      `MaxListenersExceededWarning: Possible EventEmitter memory leak detected. ${count} ${
        String(name)
      } listeners added. Use emitter.setMaxListeners() to increase limit`,
    );
  }
  return emitter;
}

function once(emitter, name, listener) {
  checkListener(listener);
  let called = false;
  function wrapper(...args) {
    if (called) {
      return;
    }
    called = true;
    emitter.removeListener(name, wrapper);
    return listener.apply(emitter, args);
  }
  wrapper.listener = listener;
  return wrapper;
}

const methods = {
  setMaxListeners(count) {
    this._maxListeners = count;
    return this;
  },

  getMaxListeners() {
    return this._maxListeners ?? EventEmitter.defaultMaxListeners;
  },

  emit(name, ...args) {
    const events = this._events;
    if (name === "error") {
      if (events?.[errorMonitor] !== undefined) {
        this.emit(errorMonitor, ...args);
      }
      if (events?.error === undefined) {
        const error = args[0];
        if (error instanceof Error) {
          throw error;
        }
        const unhandled = new Error(`Unhandled error. (${String(error)})`);
        unhandled.code = "ERR_UNHANDLED_ERROR";
        unhandled.context = error;
        throw unhandled;
      }
    }
    const listeners = events?.[name];
    if (listeners === undefined) {
      return false;
    }
    for (let i = 0; i < listeners.length; i++) {
      Reflect.apply(listeners[i], this, args);
    }
    return true;
  },

  on(name, listener) {
    return add(this, name, listener, false);
  },

  prependListener(name, listener) {
    return add(this, name, listener, true);
  },

  once(name, listener) {
    return this.on(name, once(this, name, listener));
  },

  prependOnceListener(name, listener) {
    return this.prependListener(name, once(this, name, listener));
  },

  removeListener(name, listener) {
    checkListener(listener);
    const listeners = this._events?.[name];
    if (listeners === undefined) {
      return this;
    }
    const index = listeners.findLastIndex((it) =>
      it === listener || it.listener === listener
    );
    if (index < 0) {
      return this;
    }
    if (listeners.length === 1) {
      delete this._events[name];
    } else {
      this._events[name] = listeners.toSpliced(index, 1);
    }
    if (this._events.removeListener !== undefined) {
      this.emit("removeListener", name, listener);
    }
    return this;
  },

  removeAllListeners(name) {
    if (name === undefined) {
      this._events = { __proto__: null };
    } else if (this._events !== undefined) {
      delete this._events[name];
    }
    return this;
  },

  listeners(name) {
    return this.rawListeners(name).map((it) => it.listener ?? it);
  },

  rawListeners(name) {
    return [...(this._events?.[name] ?? [])];
  },

  listenerCount(name, listener) {
    const listeners = this._events?.[name] ?? [];
    return listener === undefined
      ? listeners.length
      : listeners.filter((it) => it === listener || it.listener === listener)
        .length;
  },

  eventNames() {
    return Reflect.ownKeys(this._events ?? {});
  },
};
for (const [name, value] of Object.entries(methods)) {
  Object.defineProperty(EventEmitter.prototype, name, {
    value,
    writable: true,
    enumerable: true,
    configurable: true,
  });
}
EventEmitter.prototype.addListener = methods.on;
EventEmitter.prototype.off = methods.removeListener;

/** Resolves with the arguments of the next event, or rejects with an error's. */
function onceEvent(emitter, name, { signal } = {}) {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const settle = (act) => (...args) => {
      emitter.removeListener(name, onEvent);
      emitter.removeListener("error", onError);
      signal?.removeEventListener("abort", onAbort);
      act(...args);
    };
    const onEvent = settle((...args) => resolve(args));
    const onError = settle(reject);
    const onAbort = settle(() => reject(signal.reason));
    emitter.on(name, onEvent);
    if (name !== "error") {
      emitter.on("error", onError);
    }
    signal?.addEventListener("abort", onAbort);
  });
}

/** Iterates over the arguments of each event. */
function on(emitter, name, { signal } = {}) {
  const events = [];
  const waiting = [];
  let failure;
  let isDone = false;
  const settle = () => {
    while (waiting.length > 0) {
      const { resolve, reject } = waiting[0];
      if (events.length > 0) {
        resolve({ value: events.shift(), done: false });
      } else if (failure !== undefined) {
        reject(failure.error);
        failure = undefined;
        isDone = true;
      } else if (isDone) {
        resolve({ value: undefined, done: true });
      } else {
        return;
      }
      waiting.shift();
    }
  };
  const onEvent = (...args) => {
    events.push(args);
    settle();
  };
  const onError = (error) => {
    failure = { error };
    end();
    settle();
  };
  const onAbort = () => onError(signal.reason);
  const end = () => {
    emitter.removeListener(name, onEvent);
    emitter.removeListener("error", onError);
    signal?.removeEventListener("abort", onAbort);
  };
  emitter.on(name, onEvent);
  if (name !== "error") {
    emitter.on("error", onError);
  }
  signal?.addEventListener("abort", onAbort);
  return {
    next() {
      return new Promise((resolve, reject) => {
        waiting.push({ resolve, reject });
        settle();
      });
    },
    return() {
      isDone = true;
      end();
      settle();
      return Promise.resolve({ value: undefined, done: true });
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

function listenerCount(emitter, name) {
  return emitter.listenerCount(name);
}

function setMaxListeners(count, ...emitters) {
  if (emitters.length === 0) {
    EventEmitter.defaultMaxListeners = count;
  }
  for (const emitter of emitters) {
    emitter.setMaxListeners?.(count);
  }
}

EventEmitter.EventEmitter = EventEmitter;
EventEmitter.once = onceEvent;
EventEmitter.on = on;
EventEmitter.listenerCount = listenerCount;
EventEmitter.setMaxListeners = setMaxListeners;
EventEmitter.errorMonitor = errorMonitor;
EventEmitter.captureRejectionSymbol = kCapture;

const captureRejectionSymbol = kCapture;
const defaultMaxListeners = 10;

export default EventEmitter;
export {
  captureRejectionSymbol,
  defaultMaxListeners,
  errorMonitor,
  EventEmitter,
  listenerCount,
  on,
  onceEvent as once,
  setMaxListeners,
};
