// The events of `ws` for listeners in the style of the web.

import { Buffer } from "node:buffer";

const EMPTY_BUFFER = Buffer.alloc(0);

/** The listener that a function on an EventEmitter stands for. */
const kListener = Symbol("kListener");
/** Whether that function stands for an attribute such as `onopen`. */
const kForAttribute = Symbol("kIsForOnEventAttribute");

class Event {
  #type;
  #target = null;

  constructor(type, target = null) {
    this.#type = type;
    this.#target = target;
  }

  get type() {
    return this.#type;
  }

  get target() {
    return this.#target;
  }
}

class CloseEvent extends Event {
  #code;
  #reason;
  #wasClean;

  constructor(type, { code = 0, reason = "", wasClean = false } = {}, target) {
    super(type, target);
    this.#code = code;
    this.#reason = reason;
    this.#wasClean = wasClean;
  }

  get code() {
    return this.#code;
  }

  get reason() {
    return this.#reason;
  }

  get wasClean() {
    return this.#wasClean;
  }
}

class ErrorEvent extends Event {
  #error;
  #message;

  constructor(type, { error = null, message = "" } = {}, target) {
    super(type, target);
    this.#error = error;
    this.#message = message;
  }

  get error() {
    return this.#error;
  }

  get message() {
    return this.#message;
  }
}

class MessageEvent extends Event {
  #data;

  constructor(type, { data = null } = {}, target) {
    super(type, target);
    this.#data = data;
  }

  get data() {
    return this.#data;
  }
}

for (
  const [Class, names] of [
    [Event, ["type", "target"]],
    [CloseEvent, ["code", "reason", "wasClean"]],
    [ErrorEvent, ["error", "message"]],
    [MessageEvent, ["data"]],
  ]
) {
  for (const name of names) {
    Object.defineProperty(Class.prototype, name, { enumerable: true });
  }
}

/** The event for what an emitter's listener gets. */
const MAKE = {
  __proto__: null,
  open: (target) => new Event("open", target),
  message: (target, data, isBinary) =>
    new MessageEvent("message", {
      data: isBinary ? data : data.toString(),
    }, target),
  close: (target, code, reason) =>
    new CloseEvent("close", {
      code,
      reason: reason.toString(),
      wasClean: target._closeFrameReceived && target._closeFrameSent,
    }, target),
  error: (target, error) =>
    new ErrorEvent("error", { error, message: error.message }, target),
};

function call(listener, target, event) {
  if (
    typeof listener === "object" && typeof listener.handleEvent === "function"
  ) {
    listener.handleEvent.call(listener, event);
  } else {
    listener.call(target, event);
  }
}

/** Methods to mix into an EventEmitter. */
const EventTarget = {
  addEventListener(type, listener, options = {}) {
    if (MAKE[type] === undefined) {
      return;
    }
    const isAttribute = !!options[kForAttribute];
    for (const it of this.listeners(type)) {
      if (!isAttribute && it[kListener] === listener && !it[kForAttribute]) {
        return;
      }
    }
    const wrapper = function (...args) {
      call(listener, this, MAKE[type](this, ...args));
    };
    wrapper[kForAttribute] = isAttribute;
    wrapper[kListener] = listener;
    if (options.once) {
      this.once(type, wrapper);
    } else {
      this.on(type, wrapper);
    }
  },

  removeEventListener(type, listener) {
    for (const it of this.listeners(type)) {
      if (it[kListener] === listener && !it[kForAttribute]) {
        this.removeListener(type, it);
        return;
      }
    }
  },
};

/** Defines `onopen` and the others. */
function defineAttributes(prototype) {
  for (const type of Object.keys(MAKE)) {
    Object.defineProperty(prototype, `on${type}`, {
      enumerable: true,
      configurable: true,
      get() {
        const found = this.listeners(type).find((it) => it[kForAttribute]);
        return found?.[kListener] ?? null;
      },
      set(value) {
        for (const it of this.listeners(type)) {
          if (it[kForAttribute]) {
            this.removeListener(type, it);
            break;
          }
        }
        if (typeof value === "function") {
          this.addEventListener(type, value, { [kForAttribute]: true });
        }
      },
    });
  }
}

export {
  CloseEvent,
  defineAttributes,
  EMPTY_BUFFER,
  ErrorEvent,
  Event,
  EventTarget,
  kForAttribute,
  kListener,
  MessageEvent,
};
