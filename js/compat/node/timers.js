// node:timers: timers that are objects, with ref() and unref().

const {
  clearTimeout: clearWebTimer,
  setInterval: setWebInterval,
  setTimeout: setWebTimeout,
} = globalThis;
const { refTimer, unrefTimer } = Deno;

class Timeout {
  #id;
  #repeats;
  #run;
  #isRefed = true;

  constructor(callback, delay, args, repeats) {
    this._idleTimeout = Math.max(Math.trunc(delay) || 1, 1);
    this.#repeats = repeats;
    this.#run = () => {
      if (!repeats) {
        this.#id = undefined;
      }
      callback(...args);
    };
    this.refresh();
  }

  /** Starts anew. */
  refresh() {
    clearWebTimer(this.#id);
    const set = this.#repeats ? setWebInterval : setWebTimeout;
    this.#id = set(this.#run, this._idleTimeout);
    if (!this.#isRefed) {
      unrefTimer(this.#id);
    }
    return this;
  }

  close() {
    clearWebTimer(this.#id);
    this.#id = undefined;
    return this;
  }

  ref() {
    this.#isRefed = true;
    if (this.#id !== undefined) {
      refTimer(this.#id);
    }
    return this;
  }

  unref() {
    this.#isRefed = false;
    if (this.#id !== undefined) {
      unrefTimer(this.#id);
    }
    return this;
  }

  hasRef() {
    return this.#isRefed;
  }

  [Symbol.toPrimitive]() {
    return this.#id;
  }

  [Symbol.dispose]() {
    this.close();
  }
}

class Immediate extends Timeout {}

function setTimeout(callback, delay, ...args) {
  return new Timeout(callback, delay, args, false);
}

function setInterval(callback, delay, ...args) {
  return new Timeout(callback, delay, args, true);
}

/** After the I/O that is ready. */
function setImmediate(callback, ...args) {
  return new Immediate(callback, 0, args, false);
}

function clearTimeout(timer) {
  if (timer instanceof Timeout) {
    timer.close();
  } else {
    clearWebTimer(timer);
  }
}

const clearInterval = clearTimeout;
const clearImmediate = clearTimeout;

const promises = {
  setTimeout: (delay, value) =>
    new Promise((resolve) => setTimeout(resolve, delay, value)),
  setImmediate: (value) =>
    new Promise((resolve) => setImmediate(resolve, value)),
};

export default {
  clearImmediate,
  clearInterval,
  clearTimeout,
  promises,
  setImmediate,
  setInterval,
  setTimeout,
};
export {
  clearImmediate,
  clearInterval,
  clearTimeout,
  promises,
  setImmediate,
  setInterval,
  setTimeout,
};
