// node:stream: Readable, Writable, Duplex and Transform with the events and the
// backpressure of Node.js.

import { Buffer } from "node:buffer";
import { missing, withCode } from "node:internal/errors";
import EventEmitter from "node:events";
import { StringDecoder } from "node:string_decoder";

// As process.nextTick.
function nextTick(callback, ...args) {
  queueMicrotask(() => callback(...args));
}

let byteHighWaterMark = 64 * 1024;
let objectHighWaterMark = 16;

function getDefaultHighWaterMark(objectMode) {
  return objectMode ? objectHighWaterMark : byteHighWaterMark;
}

function setDefaultHighWaterMark(objectMode, value) {
  if (objectMode) {
    objectHighWaterMark = value;
  } else {
    byteHighWaterMark = value;
  }
}

/** The base of all, with the pipe of old. */
function Stream(options) {
  EventEmitter.call(this, options);
}
Object.setPrototypeOf(Stream.prototype, EventEmitter.prototype);
Object.setPrototypeOf(Stream, EventEmitter);

class ReadableState {
  constructor(options, isDuplex) {
    this.objectMode = !!(options.objectMode ||
      (isDuplex && options.readableObjectMode));
    this.highWaterMark =
      (isDuplex ? options.readableHighWaterMark : undefined) ??
        options.highWaterMark ??
        getDefaultHighWaterMark(this.objectMode);
    this.buffer = [];
    this.length = 0;
    this.flowing = null;
    this.ended = false;
    this.endEmitted = false;
    this.reading = false;
    // Whether `_read` is on the stack.
    this.sync = false;
    this.needReadable = false;
    this.emittedReadable = false;
    this.readableListening = false;
    this.resumeScheduled = false;
    this.destroyed = false;
    this.errored = null;
    this.errorEmitted = false;
    this.closed = false;
    this.closeEmitted = false;
    this.emitClose = options.emitClose !== false;
    this.autoDestroy = options.autoDestroy !== false;
    this.pipes = [];
    // How many destinations of pipe() want no more for now.
    this.awaitDrain = new Set();
    this.encoding = null;
    this.decoder = null;
    if (options.encoding) {
      this.decoder = new StringDecoder(options.encoding);
      this.encoding = options.encoding;
    }
  }
}

class WritableState {
  constructor(options, isDuplex) {
    this.objectMode = !!(options.objectMode ||
      (isDuplex && options.writableObjectMode));
    this.highWaterMark =
      (isDuplex ? options.writableHighWaterMark : undefined) ??
        options.highWaterMark ??
        getDefaultHighWaterMark(this.objectMode);
    this.decodeStrings = options.decodeStrings !== false;
    this.defaultEncoding = options.defaultEncoding ?? "utf8";
    this.buffered = [];
    this.length = 0;
    this.writing = false;
    this.corked = 0;
    this.needDrain = false;
    this.ending = false;
    this.ended = false;
    this.finalCalled = false;
    this.prefinished = false;
    this.finished = false;
    this.destroyed = false;
    this.errored = null;
    this.errorEmitted = false;
    this.closed = false;
    this.closeEmitted = false;
    this.emitClose = options.emitClose !== false;
    this.autoDestroy = options.autoDestroy !== false;
    // The callbacks of end() that came before 'finish'.
    this.onFinish = [];
  }
}

function Readable(options = {}) {
  if (!(this instanceof Readable)) {
    return new Readable(options);
  }
  options ??= {};
  this._readableState = new ReadableState(options, this instanceof Duplex);
  takeMethods(this, options, ["read", "destroy", "construct"]);
  Stream.call(this, options);
}
Object.setPrototypeOf(Readable.prototype, Stream.prototype);
Object.setPrototypeOf(Readable, Stream);

function takeMethods(stream, options, names) {
  for (const name of names) {
    if (typeof options[name] === "function") {
      if (name === "construct") {
        throw missing("the option `construct` of streams");
      }
      stream[`_${name}`] = options[name];
    }
  }
  if (options.signal) {
    options.signal.addEventListener(
      "abort",
      () => stream.destroy(options.signal.reason),
      { once: true },
    );
  }
}

const readableMethods = {
  _read() {
    throw withCode(
      new Error("The _read() method is not implemented"),
      "ERR_METHOD_NOT_IMPLEMENTED",
    );
  },

  /** Appends what was read, or with null ends. Returns whether more may come. */
  push(chunk, encoding) {
    return addChunk(this, chunk, encoding, false);
  },

  unshift(chunk, encoding) {
    return addChunk(this, chunk, encoding, true);
  },

  isPaused() {
    const state = this._readableState;
    return state.explicitlyPaused === true || state.flowing === false;
  },

  setEncoding(encoding) {
    const state = this._readableState;
    state.decoder = new StringDecoder(encoding);
    state.encoding = encoding;
    if (state.buffer.length > 0) {
      const text = state.buffer.map((it) => state.decoder.write(it)).join("");
      state.buffer = text === "" ? [] : [text];
      state.length = text.length;
    }
    return this;
  },

  read(size) {
    const state = this._readableState;
    if (size !== undefined && size !== null) {
      size = Number(size);
    }
    if (size > state.highWaterMark) {
      state.highWaterMark = size;
    }
    if (size !== 0) {
      state.emittedReadable = false;
    }
    if (
      size === 0 && state.needReadable &&
      ((state.highWaterMark !== 0
        ? state.length >= state.highWaterMark
        : state.length > 0) || state.ended)
    ) {
      if (state.length === 0 && state.ended) {
        endReadable(this);
      } else {
        emitReadable(this);
      }
      return null;
    }
    const asked = size;
    let count = howMuch(state, size);
    if (count === 0 && state.ended) {
      if (state.length === 0) {
        endReadable(this);
      }
      return null;
    }
    const wantsMore = state.needReadable || state.length === 0 ||
      state.length - count < state.highWaterMark;
    if (
      wantsMore && !state.ended && !state.reading && !state.destroyed &&
      !state.errored
    ) {
      state.reading = true;
      state.sync = true;
      if (state.length === 0) {
        state.needReadable = true;
      }
      try {
        this._read(state.highWaterMark);
      } catch (error) {
        failStream(this, error);
      }
      state.sync = false;
      if (!state.reading) {
        count = howMuch(state, asked);
      }
    }
    const chunk = count > 0 ? take(state, count) : null;
    if (chunk === null) {
      state.needReadable = state.length <= state.highWaterMark;
      count = 0;
    } else {
      state.length -= count;
    }
    if (state.length === 0) {
      if (!state.ended) {
        state.needReadable = true;
      }
      if (asked !== count && state.ended) {
        endReadable(this);
      }
    }
    if (chunk !== null && !state.errored && !state.closeEmitted) {
      this.emit("data", chunk);
    }
    return chunk;
  },

  on(name, listener) {
    Stream.prototype.on.call(this, name, listener);
    const state = this._readableState;
    if (name === "data") {
      state.readableListening = this.listenerCount("readable") > 0;
      if (state.flowing !== false) {
        this.resume();
      }
    } else if (
      name === "readable" && !state.endEmitted && !state.readableListening
    ) {
      state.readableListening = state.needReadable = true;
      state.flowing = false;
      state.emittedReadable = false;
      if (state.length > 0) {
        emitReadable(this);
      } else if (!state.reading) {
        nextTick(() => this.read(0));
      }
    }
    return this;
  },

  removeListener(name, listener) {
    Stream.prototype.removeListener.call(this, name, listener);
    if (name === "readable") {
      nextTick(updateReadableListening, this);
    }
    return this;
  },

  removeAllListeners(name) {
    Stream.prototype.removeAllListeners.call(this, name);
    if (name === "readable" || name === undefined) {
      nextTick(updateReadableListening, this);
    }
    return this;
  },

  resume() {
    const state = this._readableState;
    if (!state.flowing) {
      state.flowing = !state.readableListening;
      if (!state.resumeScheduled) {
        state.resumeScheduled = true;
        nextTick(() => {
          if (!state.reading) {
            this.read(0);
          }
          state.resumeScheduled = false;
          this.emit("resume");
          flow(this);
          if (state.flowing && !state.reading) {
            this.read(0);
          }
        });
      }
    }
    state.explicitlyPaused = false;
    return this;
  },

  pause() {
    const state = this._readableState;
    if (state.flowing !== false) {
      state.flowing = false;
      this.emit("pause");
    }
    state.explicitlyPaused = true;
    return this;
  },

  pipe(destination, options) {
    // deno-lint-ignore no-this-alias
    const source = this;
    const state = this._readableState;
    state.pipes.push(destination);
    const onData = (chunk) => {
      if (destination.write(chunk) === false) {
        state.awaitDrain.add(destination);
        source.pause();
        destination.once("drain", onDrain);
      }
    };
    const onDrain = () => {
      state.awaitDrain.delete(destination);
      if (state.awaitDrain.size === 0 && source.listenerCount("data") > 0) {
        source.resume();
      }
    };
    const onEnd = () => destination.end();
    const onError = (error) => {
      unpipe();
      if (destination.listenerCount("error") === 0) {
        failStream(destination, error);
      }
    };
    const unpipe = () => source.unpipe(destination);
    const onUnpipe = (readable, info) => {
      if (readable !== source || info.hasUnpiped) {
        return;
      }
      info.hasUnpiped = true;
      source.removeListener("data", onData);
      source.removeListener("end", onEnd);
      source.removeListener("end", unpipe);
      destination.removeListener("close", unpipe);
      destination.removeListener("finish", unpipe);
      destination.removeListener("drain", onDrain);
      destination.removeListener("error", onError);
      destination.removeListener("unpipe", onUnpipe);
      if (state.awaitDrain.delete(destination)) {
        onDrain();
      }
    };
    const endsDestination = options?.end !== false;
    if (state.endEmitted) {
      nextTick(endsDestination ? onEnd : unpipe);
    } else {
      source.once("end", endsDestination ? onEnd : unpipe);
    }
    destination.on("unpipe", onUnpipe);
    source.on("data", onData);
    destination.prependListener("error", onError);
    destination.once("close", unpipe);
    destination.once("finish", unpipe);
    destination.emit("pipe", source);
    if (destination.writableNeedDrain === true) {
      state.awaitDrain.add(destination);
      source.pause();
      destination.once("drain", onDrain);
    } else if (!state.flowing) {
      source.resume();
    }
    return destination;
  },

  unpipe(destination) {
    const state = this._readableState;
    const gone = destination === undefined
      ? state.pipes
      : state.pipes.filter((it) => it === destination);
    if (gone.length === 0) {
      return this;
    }
    state.pipes = state.pipes.filter((it) => !gone.includes(it));
    if (state.pipes.length === 0) {
      this.pause();
    }
    for (const it of gone) {
      it.emit("unpipe", this, { hasUnpiped: false });
    }
    return this;
  },

  destroy(error, callback) {
    return destroy(this, error, callback);
  },

  _destroy(error, callback) {
    callback(error);
  },

  async *[Symbol.asyncIterator]() {
    let wake = () => {};
    const onReadable = () => wake();
    let failure;
    let isOver = false;
    this.on("readable", onReadable);
    const stop = finished(this, { writable: false }, (error) => {
      failure = error ?? undefined;
      isOver = true;
      wake();
    });
    try {
      while (true) {
        const chunk = this.destroyed ? null : this.read();
        if (chunk !== null) {
          yield chunk;
        } else if (failure !== undefined) {
          throw failure;
        } else if (isOver) {
          return;
        } else {
          await new Promise((resolve) => wake = resolve);
        }
      }
    } finally {
      stop();
      this.removeListener("readable", onReadable);
      this.destroy();
    }
  },
};

function addChunk(stream, chunk, encoding, toFront) {
  const state = stream._readableState;
  if (!state.objectMode && chunk !== null && chunk !== undefined) {
    if (typeof chunk === "string") {
      if (state.encoding === null || encoding !== state.encoding) {
        chunk = Buffer.from(chunk, encoding);
      }
    } else if (chunk instanceof Uint8Array && !Buffer.isBuffer(chunk)) {
      chunk = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    }
  }
  if (chunk === null || chunk === undefined) {
    state.reading = false;
    endOfChunks(stream);
    return false;
  }
  const isEmpty = !state.objectMode && chunk.length === 0;
  if (toFront) {
    if (state.endEmitted) {
      failStream(
        stream,
        withCode(
          new Error("stream.unshift() after end event"),
          "ERR_STREAM_UNSHIFT_AFTER_END_EVENT",
        ),
      );
    } else if (!isEmpty && !state.destroyed) {
      store(stream, chunk, true);
    }
  } else if (state.ended) {
    failStream(
      stream,
      withCode(
        new Error("stream.push() after EOF"),
        "ERR_STREAM_PUSH_AFTER_EOF",
      ),
    );
    return false;
  } else if (state.destroyed || state.errored) {
    return false;
  } else {
    state.reading = false;
    if (state.decoder !== null && typeof chunk !== "string") {
      chunk = state.decoder.write(chunk);
    }
    if (state.objectMode || chunk.length > 0) {
      store(stream, chunk, false);
    } else {
      maybeReadMore(stream);
    }
  }
  return !state.ended &&
    (state.length < state.highWaterMark || state.length === 0);
}

function store(stream, chunk, toFront) {
  const state = stream._readableState;
  if (
    !toFront && state.flowing && state.length === 0 && !state.sync &&
    stream.listenerCount("data") > 0
  ) {
    state.awaitDrain.clear();
    stream.emit("data", chunk);
  } else {
    state.length += state.objectMode ? 1 : chunk.length;
    if (toFront) {
      state.buffer.unshift(chunk);
    } else {
      state.buffer.push(chunk);
    }
    if (state.needReadable) {
      emitReadable(stream);
    }
  }
  maybeReadMore(stream);
}

function endOfChunks(stream) {
  const state = stream._readableState;
  if (state.ended) {
    return;
  }
  if (state.decoder !== null) {
    const rest = state.decoder.end();
    if (rest) {
      state.buffer.push(rest);
      state.length += state.objectMode ? 1 : rest.length;
    }
  }
  state.ended = true;
  if (state.sync) {
    emitReadable(stream);
  } else {
    state.needReadable = false;
    state.emittedReadable = true;
    emitReadableNow(stream);
  }
}

function howMuch(state, size) {
  if (size <= 0 || (state.length === 0 && state.ended)) {
    return 0;
  }
  if (state.objectMode) {
    return state.length === 0 ? 0 : 1;
  }
  if (size === undefined || size === null || Number.isNaN(size)) {
    // A flowing stream passes on what came, as it came.
    return state.flowing && state.length > 0
      ? state.buffer[0].length
      : state.length;
  }
  if (size <= state.length) {
    return size;
  }
  return state.ended ? state.length : 0;
}

/** Takes so much off the front of the buffer. */
function take(state, count) {
  if (state.length === 0) {
    return null;
  }
  if (state.objectMode) {
    return state.buffer.shift();
  }
  const first = state.buffer[0];
  if (first.length === count) {
    return state.buffer.shift();
  }
  if (first.length > count) {
    state.buffer[0] = first.slice(count);
    return first.slice(0, count);
  }
  const parts = [];
  while (count > 0) {
    const part = state.buffer[0];
    if (part.length > count) {
      parts.push(part.slice(0, count));
      state.buffer[0] = part.slice(count);
      break;
    }
    parts.push(state.buffer.shift());
    count -= part.length;
  }
  return typeof parts[0] === "string" ? parts.join("") : Buffer.concat(parts);
}

function emitReadable(stream) {
  const state = stream._readableState;
  state.needReadable = false;
  if (!state.emittedReadable) {
    state.emittedReadable = true;
    nextTick(emitReadableNow, stream);
  }
}

function emitReadableNow(stream) {
  const state = stream._readableState;
  if (!state.destroyed && !state.errored && (state.length > 0 || state.ended)) {
    stream.emit("readable");
    state.emittedReadable = false;
  }
  state.needReadable = !state.flowing && !state.ended &&
    state.length <= state.highWaterMark;
  flow(stream);
}

function flow(stream) {
  const state = stream._readableState;
  while (state.flowing && stream.read() !== null) {
    // read() emits 'data'.
  }
}

function maybeReadMore(stream) {
  const state = stream._readableState;
  if (state.readingMore) {
    return;
  }
  state.readingMore = true;
  nextTick(() => {
    while (
      !state.reading && !state.ended && !state.destroyed &&
      (state.length < state.highWaterMark ||
        (state.flowing && state.length === 0))
    ) {
      const before = state.length;
      stream.read(0);
      if (state.length === before) {
        break;
      }
    }
    state.readingMore = false;
  });
}

function updateReadableListening(stream) {
  const state = stream._readableState;
  state.readableListening = stream.listenerCount("readable") > 0;
  if (state.resumeScheduled && !state.explicitlyPaused) {
    state.flowing = true;
  } else if (stream.listenerCount("data") > 0) {
    stream.resume();
  } else if (!state.readableListening) {
    state.flowing = null;
  }
}

function endReadable(stream) {
  const state = stream._readableState;
  if (state.endEmitted || state.endScheduled) {
    return;
  }
  state.endScheduled = true;
  state.ended = true;
  nextTick(() => {
    state.endScheduled = false;
    if (
      state.errored || state.closeEmitted || state.endEmitted ||
      state.length > 0
    ) {
      return;
    }
    state.endEmitted = true;
    stream.emit("end");
    if (stream._writableState !== undefined && stream.allowHalfOpen === false) {
      if (stream.writable && !stream._writableState.ending) {
        stream.end();
      }
    }
    const writable = stream._writableState;
    if (
      state.autoDestroy &&
      (writable === undefined || (writable.autoDestroy && writable.finished))
    ) {
      stream.destroy();
    }
  });
}

function Writable(options = {}) {
  // What a Duplex has of this comes only now.
  const isOne = this instanceof Duplex ||
    Function.prototype[Symbol.hasInstance].call(Writable, this);
  if (!isOne) {
    return new Writable(options);
  }
  options ??= {};
  this._writableState = new WritableState(options, this instanceof Duplex);
  takeMethods(this, options, ["write", "writev", "destroy", "final"]);
  Stream.call(this, options);
}
Object.setPrototypeOf(Writable.prototype, Stream.prototype);
Object.setPrototypeOf(Writable, Stream);
// A Duplex is one, though it inherits from Readable.
Object.defineProperty(Writable, Symbol.hasInstance, {
  value(value) {
    return Function.prototype[Symbol.hasInstance].call(this, value) ||
      (this === Writable && value?._writableState instanceof WritableState);
  },
});

const writableMethods = {
  _write(chunk, encoding, callback) {
    if (this._writev) {
      this._writev([{ chunk, encoding }], callback);
    } else {
      throw withCode(
        new Error("The _write() method is not implemented"),
        "ERR_METHOD_NOT_IMPLEMENTED",
      );
    }
  },

  /** Returns whether the caller may write on before 'drain'. */
  write(chunk, encoding, callback) {
    if (typeof encoding === "function") {
      [encoding, callback] = [undefined, encoding];
    }
    return write(this, chunk, encoding, callback ?? noop);
  },

  cork() {
    this._writableState.corked++;
  },

  uncork() {
    const state = this._writableState;
    if (state.corked > 0) {
      state.corked--;
      if (!state.writing) {
        clearBuffered(this);
      }
    }
  },

  setDefaultEncoding(encoding) {
    this._writableState.defaultEncoding = encoding;
    return this;
  },

  end(chunk, encoding, callback) {
    if (typeof chunk === "function") {
      [chunk, encoding, callback] = [undefined, undefined, chunk];
    } else if (typeof encoding === "function") {
      [encoding, callback] = [undefined, encoding];
    }
    const state = this._writableState;
    let error;
    if (chunk !== undefined && chunk !== null) {
      const result = write(this, chunk, encoding, noop);
      if (result instanceof Error) {
        error = result;
      }
    }
    if (state.corked > 0) {
      state.corked = 1;
      this.uncork();
    }
    if (error !== undefined) {
      // write() has told it.
    } else if (!state.errored && !state.ending) {
      state.ending = true;
      finishMaybe(this);
      state.ended = true;
    } else if (state.finished) {
      error = withCode(
        new Error("Cannot call end after a stream was finished"),
        "ERR_STREAM_ALREADY_FINISHED",
      );
    } else if (state.destroyed) {
      error = destroyedError("end");
    }
    if (typeof callback === "function") {
      if (error !== undefined) {
        nextTick(callback, error);
      } else if (state.finished) {
        nextTick(callback);
      } else {
        state.onFinish.push(callback);
      }
    }
    return this;
  },

  destroy(error, callback) {
    const state = this._writableState;
    if (
      !state.destroyed &&
      (state.buffered.length > 0 || state.onFinish.length > 0)
    ) {
      nextTick(failBuffered, this);
    }
    return destroy(this, error, callback);
  },

  _destroy(error, callback) {
    callback(error);
  },
};

function noop() {}

function destroyedError(name) {
  return withCode(
    new Error(`Cannot call ${name} after a stream was destroyed`),
    "ERR_STREAM_DESTROYED",
  );
}

function write(stream, chunk, encoding, callback) {
  const state = stream._writableState;
  if (chunk === null) {
    throw withCode(
      new TypeError("May not write null values to stream"),
      "ERR_STREAM_NULL_VALUES",
    );
  }
  encoding ??= state.defaultEncoding;
  if (!state.objectMode) {
    if (typeof chunk === "string") {
      if (state.decodeStrings) {
        chunk = Buffer.from(chunk, encoding);
        encoding = "buffer";
      }
    } else if (ArrayBuffer.isView(chunk)) {
      if (!Buffer.isBuffer(chunk)) {
        chunk = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
      }
      encoding = "buffer";
    } else {
      throw withCode(
        new TypeError(
          'The "chunk" argument must be of type string or an instance of Buffer, TypedArray, or DataView',
        ),
        "ERR_INVALID_ARG_TYPE",
      );
    }
  }
  let error;
  if (state.ending) {
    error = withCode(
      new Error("write after end"),
      "ERR_STREAM_WRITE_AFTER_END",
    );
  } else if (state.destroyed) {
    error = destroyedError("write");
  }
  if (error !== undefined) {
    nextTick(callback, error);
    failStream(stream, error, true);
    return error;
  }
  const length = state.objectMode ? 1 : chunk.length;
  state.length += length;
  const mayGoOn = state.length < state.highWaterMark;
  if (!mayGoOn) {
    state.needDrain = true;
  }
  if (state.writing || state.corked > 0 || state.errored) {
    state.buffered.push({ chunk, encoding, callback, length });
  } else {
    callWrite(stream, [{ chunk, encoding, callback, length }]);
  }
  return mayGoOn && !state.errored && !state.destroyed;
}

/** Has entries written, in one go where the stream can. */
function callWrite(stream, entries) {
  const state = stream._writableState;
  state.writing = true;
  let isSync = true;
  const done = (error) => {
    if (!state.writing) {
      return;
    }
    state.writing = false;
    for (const { length } of entries) {
      state.length -= length;
    }
    if (error) {
      for (const { callback } of entries) {
        callback(error);
      }
      failBuffered(stream, error);
      failStream(stream, error);
      return;
    }
    if (state.buffered.length > 0 && state.corked === 0) {
      clearBuffered(stream);
    }
    const after = () => {
      const needsDrain = !state.ending && !state.destroyed &&
        state.length === 0 && state.needDrain;
      if (needsDrain) {
        state.needDrain = false;
        stream.emit("drain");
      }
      for (const { callback } of entries) {
        callback(state.errored ?? undefined);
      }
      if (state.destroyed) {
        failBuffered(stream);
      }
      finishMaybe(stream);
    };
    if (isSync) {
      nextTick(after);
    } else {
      after();
    }
  };
  try {
    if (entries.length > 1) {
      stream._writev(entries, done);
    } else {
      stream._write(entries[0].chunk, entries[0].encoding, done);
    }
  } catch (error) {
    done(error);
  }
  isSync = false;
}

function clearBuffered(stream) {
  const state = stream._writableState;
  while (
    state.buffered.length > 0 && !state.writing && state.corked === 0 &&
    !state.destroyed
  ) {
    const entries = stream._writev
      ? state.buffered.splice(0)
      : [state.buffered.shift()];
    callWrite(stream, entries);
  }
}

function failBuffered(stream, error) {
  const state = stream._writableState;
  if (state.writing) {
    return;
  }
  const failure = error ?? state.errored ?? destroyedError("write");
  for (const { callback, length } of state.buffered.splice(0)) {
    state.length -= length;
    callback(failure);
  }
  for (const callback of state.onFinish.splice(0)) {
    callback(state.errored ?? destroyedError("end"));
  }
}

function needFinish(state) {
  return state.ending && !state.destroyed && state.length === 0 &&
    !state.errored && state.buffered.length === 0 && !state.finished &&
    !state.writing;
}

function finishMaybe(stream) {
  const state = stream._writableState;
  if (!needFinish(state) || state.finalCalled) {
    return;
  }
  state.finalCalled = true;
  const finish = () => {
    if (state.finished || state.errored || state.closeEmitted) {
      return;
    }
    state.prefinished = true;
    stream.emit("prefinish");
    state.finished = true;
    for (const callback of state.onFinish.splice(0)) {
      callback();
    }
    stream.emit("finish");
    const readable = stream._readableState;
    if (
      state.autoDestroy &&
      (readable === undefined || (readable.autoDestroy && readable.endEmitted))
    ) {
      stream.destroy();
    }
  };
  if (typeof stream._final !== "function") {
    nextTick(finish);
    return;
  }
  nextTick(() => {
    let called = false;
    try {
      stream._final((error) => {
        if (called) {
          return;
        }
        called = true;
        if (error) {
          for (const callback of state.onFinish.splice(0)) {
            callback(error);
          }
          failStream(stream, error);
        } else {
          nextTick(finish);
        }
      });
    } catch (error) {
      failStream(stream, error);
    }
  });
}

function destroy(stream, error, callback) {
  const readable = stream._readableState;
  const writable = stream._writableState;
  if ((readable ?? writable).destroyed) {
    callback?.();
    return stream;
  }
  if (error) {
    if (readable && !readable.errored) {
      readable.errored = error;
    }
    if (writable && !writable.errored) {
      writable.errored = error;
    }
  }
  if (readable) {
    readable.destroyed = true;
  }
  if (writable) {
    writable.destroyed = true;
  }
  let called = false;
  const done = (failure) => {
    if (called) {
      return;
    }
    called = true;
    if (failure) {
      if (readable && !readable.errored) {
        readable.errored = failure;
      }
      if (writable && !writable.errored) {
        writable.errored = failure;
      }
    }
    for (const state of [readable, writable]) {
      if (state) {
        state.closed = true;
      }
    }
    callback?.(failure);
    nextTick(() => {
      if (failure) {
        emitError(stream, failure);
      }
      if (writable) {
        writable.closeEmitted = true;
      }
      if (readable) {
        readable.closeEmitted = true;
      }
      if ((writable ?? readable).emitClose) {
        stream.emit("close");
      }
    });
  };
  try {
    stream._destroy(error ?? null, done);
  } catch (failure) {
    done(failure);
  }
  return stream;
}

function emitError(stream, error) {
  const readable = stream._readableState;
  const writable = stream._writableState;
  if (readable?.errorEmitted || writable?.errorEmitted) {
    return;
  }
  if (readable) {
    readable.errorEmitted = true;
  }
  if (writable) {
    writable.errorEmitted = true;
  }
  stream.emit("error", error);
}

/** Ends a stream with an error. */
function failStream(stream, error) {
  const readable = stream._readableState;
  const writable = stream._writableState;
  if ((readable ?? writable)?.destroyed) {
    return;
  }
  if ((readable?.autoDestroy ?? true) && (writable?.autoDestroy ?? true)) {
    stream.destroy(error);
    return;
  }
  if (readable && !readable.errored) {
    readable.errored = error;
  }
  if (writable && !writable.errored) {
    writable.errored = error;
  }
  nextTick(emitError, stream, error);
}

function Duplex(options = {}) {
  if (!(this instanceof Duplex)) {
    return new Duplex(options);
  }
  options ??= {};
  Readable.call(this, options);
  Writable.call(this, options);
  this.allowHalfOpen = options.allowHalfOpen !== false;
  if (options.readable === false) {
    this._readableState.ended = true;
    this._readableState.endEmitted = true;
    this._readableState.isOff = true;
  }
  if (options.writable === false) {
    this._writableState.ending = true;
    this._writableState.ended = true;
    this._writableState.finished = true;
    this._writableState.isOff = true;
  }
}
Object.setPrototypeOf(Duplex.prototype, Readable.prototype);
Object.setPrototypeOf(Duplex, Readable);

function Transform(options = {}) {
  if (!(this instanceof Transform)) {
    return new Transform(options);
  }
  Duplex.call(this, options);
  this._readableState.sync = false;
  takeMethods(this, options ?? {}, ["transform", "flush"]);
  this._pending = null;
}
Object.setPrototypeOf(Transform.prototype, Duplex.prototype);
Object.setPrototypeOf(Transform, Duplex);

const transformMethods = {
  _transform() {
    throw withCode(
      new Error("The _transform() method is not implemented"),
      "ERR_METHOD_NOT_IMPLEMENTED",
    );
  },

  _write(chunk, encoding, callback) {
    const state = this._readableState;
    const length = state.length;
    this._transform(chunk, encoding, (error, value) => {
      if (error) {
        callback(error);
        return;
      }
      if (value !== undefined && value !== null) {
        this.push(value);
      }
      if (
        this._writableState.ended || length === state.length ||
        state.length < state.highWaterMark
      ) {
        callback();
      } else {
        this._pending = callback;
      }
    });
  },

  _final(callback) {
    if (typeof this._flush !== "function") {
      this.push(null);
      callback();
      return;
    }
    this._flush((error, value) => {
      if (error) {
        callback(error);
        return;
      }
      if (value !== undefined && value !== null) {
        this.push(value);
      }
      this.push(null);
      callback();
    });
  },

  _read() {
    if (this._pending !== null) {
      const callback = this._pending;
      this._pending = null;
      callback();
    }
  },
};

function PassThrough(options) {
  if (!(this instanceof PassThrough)) {
    return new PassThrough(options);
  }
  Transform.call(this, options);
}
Object.setPrototypeOf(PassThrough.prototype, Transform.prototype);
Object.setPrototypeOf(PassThrough, Transform);

// Methods and attributes of the prototypes.

function methods(prototype, table) {
  for (const name of Reflect.ownKeys(table)) {
    Object.defineProperty(prototype, name, {
      value: table[name],
      writable: true,
      configurable: true,
    });
  }
}

function attributes(prototype, table) {
  for (const [name, get] of Object.entries(table)) {
    Object.defineProperty(prototype, name, {
      get() {
        return get(this);
      },
      set(value) {
        Object.defineProperty(this, name, {
          value,
          writable: true,
          configurable: true,
        });
      },
      configurable: true,
    });
  }
}

methods(Readable.prototype, readableMethods);
methods(Readable.prototype, {
  addListener: readableMethods.on,
  off: readableMethods.removeListener,
});
methods(Writable.prototype, writableMethods);
methods(Writable.prototype, {
  pipe() {
    failStream(
      this,
      withCode(
        new Error("Cannot pipe, not readable"),
        "ERR_STREAM_CANNOT_PIPE",
      ),
    );
  },
});
methods(Duplex.prototype, {
  ...writableMethods,
});
methods(Transform.prototype, transformMethods);
methods(PassThrough.prototype, {
  _transform(chunk, _encoding, callback) {
    callback(null, chunk);
  },
});

const readableAttributes = {
  readable: ({ _readableState: state }) =>
    !state.isOff && !state.destroyed && !state.errored && !state.endEmitted,
  readableFlowing: ({ _readableState: state }) => state.flowing,
  readableLength: ({ _readableState: state }) => state.length,
  readableHighWaterMark: ({ _readableState: state }) => state.highWaterMark,
  readableEnded: ({ _readableState: state }) => state.endEmitted,
  readableAborted: ({ _readableState: state }) =>
    (state.destroyed || !!state.errored) && !state.endEmitted,
  readableDidRead: ({ _readableState: state }) => state.flowing !== null,
  readableObjectMode: ({ _readableState: state }) => state.objectMode,
  readableEncoding: ({ _readableState: state }) => state.encoding,
};
const writableAttributes = {
  writable: ({ _writableState: state }) =>
    !state.isOff && !state.destroyed && !state.errored && !state.ending &&
    !state.ended,
  writableLength: ({ _writableState: state }) => state.length,
  writableHighWaterMark: ({ _writableState: state }) => state.highWaterMark,
  writableEnded: ({ _writableState: state }) => state.ending,
  writableFinished: ({ _writableState: state }) => state.finished,
  writableCorked: ({ _writableState: state }) => state.corked,
  writableObjectMode: ({ _writableState: state }) => state.objectMode,
  writableNeedDrain: ({ _writableState: state }) =>
    !state.destroyed && !state.ending && state.needDrain,
};
const commonAttributes = {
  destroyed: (stream) =>
    (stream._readableState ?? stream._writableState).destroyed,
  closed: (stream) => (stream._readableState ?? stream._writableState).closed,
  errored: (stream) => (stream._readableState ?? stream._writableState).errored,
};
attributes(Readable.prototype, readableAttributes);
attributes(Readable.prototype, commonAttributes);
attributes(Writable.prototype, writableAttributes);
attributes(Writable.prototype, commonAttributes);
attributes(Duplex.prototype, writableAttributes);

Readable.from = function (iterable, options) {
  const iterator = iterable[Symbol.asyncIterator]?.() ??
    iterable[Symbol.iterator]();
  return new Readable({
    objectMode: true,
    highWaterMark: 1,
    ...options,
    async read() {
      try {
        const { value, done } = await iterator.next();
        this.push(done ? null : await value);
      } catch (error) {
        this.destroy(error);
      }
    },
    destroy(error, callback) {
      Promise.resolve(iterator.return?.()).then(
        () => callback(error),
        (failure) => callback(error ?? failure),
      );
    },
  });
};

/** Calls back when a stream has ended, finished, failed or closed. */
function finished(stream, options, callback) {
  if (typeof options === "function") {
    [options, callback] = [{}, options];
  }
  let isOver = false;
  const over = (error) => {
    if (!isOver) {
      isOver = true;
      cleanup();
      callback.call(stream, error);
    }
  };
  const needsEnd = options.readable !== false &&
    stream._readableState !== undefined && !stream._readableState.isOff;
  const needsFinish = options.writable !== false &&
    stream._writableState !== undefined && !stream._writableState.isOff;
  const check = () => {
    if (
      (!needsEnd || stream._readableState.endEmitted) &&
      (!needsFinish || stream._writableState.finished)
    ) {
      over();
    }
  };
  const onError = (error) => over(error);
  const onClose = () => {
    const state = stream._readableState ?? stream._writableState;
    if (state.errored) {
      over(state.errored);
      return;
    }
    check();
    over(
      withCode(new Error("Premature close"), "ERR_STREAM_PREMATURE_CLOSE"),
    );
  };
  const cleanup = () => {
    stream.removeListener("end", check);
    stream.removeListener("finish", check);
    stream.removeListener("error", onError);
    stream.removeListener("close", onClose);
  };
  stream.on("end", check);
  stream.on("finish", check);
  stream.on("error", onError);
  stream.on("close", onClose);
  if (stream.closed) {
    nextTick(onClose);
  }
  return cleanup;
}

/** Pipes streams into each other and calls back at the end of the last. */
function pipeline(...streams) {
  const callback = typeof streams.at(-1) === "function"
    ? streams.pop()
    : undefined;
  if (callback === undefined) {
    throw withCode(
      new TypeError('The "callback" argument must be of type function'),
      "ERR_INVALID_ARG_TYPE",
    );
  }
  streams = Array.isArray(streams[0]) ? streams[0] : streams;
  let open = streams.length;
  let failure;
  streams.forEach((stream, index) => {
    finished(
      stream,
      { readable: index < streams.length - 1, writable: index > 0 },
      (error) => {
        if (error && failure === undefined) {
          failure = error;
          for (const it of streams) {
            it.destroy();
          }
        }
        if (--open === 0) {
          callback(failure);
        }
      },
    );
    if (index > 0) {
      streams[index - 1].pipe(stream);
    }
  });
  return streams.at(-1);
}

function isReadable(stream) {
  return stream?.readable === true;
}

const promises = {
  finished: (stream, options = {}) =>
    new Promise((resolve, reject) =>
      finished(stream, options, (error) => error ? reject(error) : resolve())
    ),
  pipeline: (...streams) =>
    new Promise((resolve, reject) =>
      pipeline(...streams, (error) => error ? reject(error) : resolve())
    ),
};

Object.assign(Stream, {
  Duplex,
  finished,
  getDefaultHighWaterMark,
  isReadable,
  PassThrough,
  pipeline,
  promises,
  Readable,
  setDefaultHighWaterMark,
  Stream,
  Transform,
  Writable,
});

export default Stream;
export {
  Duplex,
  finished,
  getDefaultHighWaterMark,
  isReadable,
  PassThrough,
  pipeline,
  promises,
  Readable,
  setDefaultHighWaterMark,
  Stream,
  Transform,
  Writable,
};
