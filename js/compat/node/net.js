// node:net, over the connections of Deno.

import { Buffer } from "node:buffer";
import EventEmitter from "node:events";
import { missing, systemError, withCode } from "node:internal/errors";
import process from "node:process";
import { Duplex } from "node:stream";
import { clearTimeout, setTimeout } from "node:timers";

/** How much is read at once: more where that was filled, less where it was not. */
const LEAST_READ = 2 * 1024;
const MOST_READ = 64 * 1024;

/** The connection of Deno that a socket is made of. */
const kConn = Symbol("conn");
/** Tells a server that a socket has gone. */
const kClosed = Symbol("closed");
/** The sockets of a server that are open. */
const kConnections = Symbol("connections");

class Socket extends Duplex {
  #reading = false;
  #readSize = LEAST_READ;
  #timer = null;
  #timeout = 0;
  #isRefed = true;
  connecting = false;
  bytesRead = 0;
  bytesWritten = 0;
  #conn = null;
  #server = null;

  constructor(options = {}) {
    super({
      allowHalfOpen: options.allowHalfOpen ?? false,
      highWaterMark: options.highWaterMark,
      signal: options.signal,
    });
    if (options.fd !== undefined || options.handle !== undefined) {
      throw missing("the options `fd` and `handle` of net.Socket");
    }
    if (options[kConn] !== undefined) {
      this.#open(options[kConn]);
      this.#server = options.server ?? null;
    }
  }

  get [kConn]() {
    return this.#conn;
  }

  #open(conn) {
    this.#conn = conn;
    if (!this.#isRefed) {
      conn.unref?.();
    }
    const { localAddr, remoteAddr } = conn;
    if (remoteAddr?.hostname !== undefined) {
      this.remoteAddress = remoteAddr.hostname;
      this.remotePort = remoteAddr.port;
      this.remoteFamily = family(remoteAddr.hostname);
    }
    if (localAddr?.hostname !== undefined) {
      this.localAddress = localAddr.hostname;
      this.localPort = localAddr.port;
      this.localFamily = family(localAddr.hostname);
    }
  }

  get server() {
    return this.#server;
  }

  get pending() {
    return this.#conn === null;
  }

  get bufferSize() {
    return this.writableLength;
  }

  get timeout() {
    return this.#timeout || undefined;
  }

  get readyState() {
    if (this.connecting) {
      return "opening";
    }
    if (this.readable && this.writable) {
      return "open";
    }
    return this.readable ? "readOnly" : this.writable ? "writeOnly" : "closed";
  }

  /** `connect(options)`, `connect(port, host)` or `connect(path)`. */
  connect(...args) {
    const [options, callback] = normalizeArgs(args);
    if (callback !== undefined) {
      this.once("connect", callback);
    }
    this.connecting = true;
    this.#connect(options).then(
      (conn) => {
        if (conn === undefined) {
          return;
        }
        if (this.destroyed) {
          conn.close();
          return;
        }
        this.connecting = false;
        this.#open(conn);
        this.emit("connect");
        this.emit("ready");
        this.#touch();
        if (!this.isPaused()) {
          this.read(0);
        }
      },
      (error) => {
        this.connecting = false;
        const isName = error instanceof Deno.errors.NotFound ||
          /lookup|resolve/i.test(error?.message ?? "");
        const target = options.path ??
          (isName
            ? options.host ?? "localhost"
            : `${options.host ?? "localhost"}:${options.port}`);
        const isUnix = options.path !== undefined;
        this.destroy(
          systemError(
            error,
            isName && !isUnix ? "getaddrinfo" : "connect",
            target,
          ),
        );
      },
    );
    return this;
  }

  async #connect(options) {
    const conn = await this._dial(options);
    return conn;
  }

  /** Opens the connection; with nothing to open, it never resolves to one. */
  async _dial(options) {
    if (options.path !== undefined) {
      return await Deno.connect({ transport: "unix", path: options.path });
    }
    const hostname = options.lookup === undefined
      ? options.host ?? "localhost"
      : await lookup(options);
    const conn = await Deno.connect({ hostname, port: Number(options.port) });
    conn.setNoDelay(true);
    return conn;
  }

  _read() {
    if (this.#conn === null) {
      this.once("connect", () => this._read());
      return;
    }
    if (this.#reading || this.destroyed) {
      return;
    }
    this.#reading = true;
    this.#readOn();
  }

  async #readOn() {
    let more = true;
    while (more && !this.destroyed) {
      const buffer = Buffer.allocUnsafe(this.#readSize);
      let count;
      try {
        count = await this.#conn.read(buffer);
      } catch (error) {
        this.#reading = false;
        if (!this.destroyed) {
          this.destroy(systemError(error, "read"));
        }
        return;
      }
      if (this.destroyed) {
        break;
      }
      this.#touch();
      if (count === null) {
        this.#reading = false;
        this.push(null);
        // Nobody may be reading; 'end' is to come all the same.
        this.read(0);
        return;
      }
      this.bytesRead += count;
      // What is kept of a read does not keep all of its buffer.
      const chunk = buffer.subarray(0, count);
      more = this.push(count < buffer.length / 2 ? Buffer.from(chunk) : chunk);
      if (count === buffer.length) {
        this.#readSize = Math.min(2 * buffer.length, MOST_READ);
      } else if (count < buffer.length / 4) {
        this.#readSize = Math.max(buffer.length / 2, LEAST_READ);
      }
    }
    this.#reading = false;
  }

  _write(chunk, encoding, callback) {
    this._writev([{ chunk, encoding }], callback);
  }

  _writev(entries, callback) {
    if (this.#conn === null) {
      if (this.connecting) {
        this.once("connect", () => this._writev(entries, callback));
        const onClose = () =>
          callback(
            withCode(
              new Error("Socket closed before the connection was established"),
              "ERR_SOCKET_CLOSED_BEFORE_CONNECTION",
            ),
          );
        this.once("close", onClose);
        this.once("connect", () => this.removeListener("close", onClose));
      } else {
        callback(withCode(new Error("This socket has been ended"), "EPIPE"));
      }
      return;
    }
    const bytes = entries.length === 1
      ? entries[0].chunk
      : Buffer.concat(entries.map((it) => it.chunk));
    this.#writeAll(bytes).then(
      () => {
        this.bytesWritten += bytes.length;
        this.#touch();
        callback();
      },
      (error) => callback(systemError(error, "write")),
    );
  }

  async #writeAll(bytes) {
    while (bytes.length > 0) {
      const count = await this.#conn.write(bytes);
      bytes = bytes.subarray(count);
    }
  }

  _final(callback) {
    if (this.#conn === null) {
      if (this.connecting) {
        this.once("connect", () => this._final(callback));
      } else {
        callback();
      }
      return;
    }
    Promise.resolve(this.#conn.closeWrite()).then(
      () => callback(),
      // The peer has gone; there is nobody to tell.
      () => callback(),
    );
  }

  _destroy(error, callback) {
    this.connecting = false;
    clearTimeout(this.#timer);
    if (this.#conn !== null) {
      try {
        this.#conn.close();
      } catch {
        // It is closed.
      }
    }
    callback(error);
    const hadError = !!error;
    queueMicrotask(() => this.#server?.[kClosed](this, hadError));
  }

  /** Ends, and closes when all is written. */
  destroySoon() {
    if (this.writable) {
      this.end();
    }
    if (this.writableFinished) {
      this.destroy();
    } else {
      this.once("finish", () => this.destroy());
    }
  }

  /** Closes at once; whether by a reset is the system's choice. */
  resetAndDestroy() {
    return this.destroy();
  }

  address() {
    return this.localAddress === undefined ? {} : {
      address: this.localAddress,
      port: this.localPort,
      family: this.localFamily,
    };
  }

  /** 'timeout' after so many ms without traffic; 0 is never. */
  setTimeout(timeout, callback) {
    this.#timeout = timeout;
    clearTimeout(this.#timer);
    this.#timer = null;
    if (timeout > 0) {
      this.#timer = setTimeout(() => this.emit("timeout"), timeout).unref();
      if (callback !== undefined) {
        this.once("timeout", callback);
      }
    } else if (callback !== undefined) {
      this.removeListener("timeout", callback);
    }
    return this;
  }

  #touch() {
    this.#timer?.refresh();
  }

  setNoDelay(noDelay = true) {
    if (this.#conn !== null) {
      this.#conn.setNoDelay?.(noDelay);
    }
    return this;
  }

  setKeepAlive(enable = false) {
    if (this.#conn !== null) {
      this.#conn.setKeepAlive?.(enable);
    }
    return this;
  }

  ref() {
    this.#isRefed = true;
    this.#conn?.ref?.();
    return this;
  }

  unref() {
    this.#isRefed = false;
    this.#conn?.unref?.();
    return this;
  }
}

function family(address) {
  return address.includes(":") ? "IPv6" : "IPv4";
}

/** The address that the option `lookup` finds. */
function lookup(options) {
  return new Promise((resolve, reject) =>
    options.lookup(
      options.host ?? "localhost",
      { family: options.family, hints: options.hints, all: false },
      (error, address) => {
        if (error) {
          reject(error);
        } else {
          resolve(Array.isArray(address) ? address[0].address : address);
        }
      },
    )
  );
}

/** The options and the callback of connect() and listen(). */
function normalizeArgs(args) {
  args = [...args];
  const callback = typeof args.at(-1) === "function" ? args.pop() : undefined;
  const [first, second, third] = args;
  if (typeof first === "object" && first !== null) {
    return [first, callback];
  }
  if (typeof first === "string" && !/^\d+$/.test(first)) {
    return [{ path: first }, callback];
  }
  const options = { port: first === undefined ? 0 : Number(first) };
  if (typeof second === "string") {
    options.host = second;
  }
  const backlog = typeof second === "number" ? second : third;
  if (typeof backlog === "number") {
    options.backlog = backlog;
  }
  return [options, callback];
}

class Server extends EventEmitter {
  #listener = null;
  #address = null;
  #connections = new Set();
  #isRefed = true;
  #isClosing = false;

  constructor(options = {}, onConnection) {
    super();
    if (typeof options === "function") {
      [options, onConnection] = [{}, options];
    }
    this.allowHalfOpen = options?.allowHalfOpen ?? false;
    this.pauseOnConnect = options?.pauseOnConnect ?? false;
    if (onConnection !== undefined) {
      this.on("connection", onConnection);
    }
  }

  get listening() {
    return this.#listener !== null;
  }

  /** `listen(port, host, backlog)`, `listen(path)` or `listen(options)`. */
  listen(...args) {
    const [options, callback] = normalizeArgs(args);
    if (this.#listener !== null) {
      throw withCode(
        new Error(
          "Listen method has been called more than once without closing.",
        ),
        "ERR_SERVER_ALREADY_LISTEN",
      );
    }
    if (
      options.path === undefined &&
      !(Number.isInteger(Number(options.port ?? 0)) &&
        Number(options.port ?? 0) >= 0 && Number(options.port ?? 0) <= 65535)
    ) {
      throw withCode(
        new RangeError(
          `options.port should be >= 0 and < 65536. Received ${options.port}.`,
        ),
        "ERR_SOCKET_BAD_PORT",
      );
    }
    if (callback !== undefined) {
      this.once("listening", callback);
    }
    try {
      this.#listener = this._bind(options);
    } catch (error) {
      const target = options.path ??
        `${options.host ?? "::"}:${options.port ?? 0}`;
      const failure = systemError(error, "listen", target);
      if (failure.code === "EADDRINUSE") {
        failure.message = `listen EADDRINUSE: address already in use ${target}`;
        failure.address = options.host ?? "::";
        failure.port = options.port;
      }
      process.nextTick(() => this.emit("error", failure));
      return this;
    }
    this.#isClosing = false;
    const { addr } = this.#listener;
    this.#address = addr.transport === "unix" ? addr.path : {
      address: addr.hostname,
      family: family(addr.hostname),
      port: addr.port,
    };
    if (!this.#isRefed) {
      this.#listener.unref?.();
    }
    this.#accept(this.#listener);
    process.nextTick(() => {
      if (this.#listener !== null) {
        this.emit("listening");
      }
    });
    options.signal?.addEventListener("abort", () => this.close());
    return this;
  }

  /** The listener of Deno. */
  _bind(options) {
    if (options.path !== undefined) {
      return Deno.listen({ transport: "unix", path: options.path });
    }
    const port = Number(options.port ?? 0);
    const tcpBacklog = options.backlog ?? 511;
    const listen = (hostname) => this._listen({ hostname, port, tcpBacklog });
    if (options.host !== undefined && options.host !== null) {
      return listen(options.host);
    }
    // Both families; the system may have no IPv6.
    try {
      return listen("::");
    } catch (error) {
      if (
        error instanceof Deno.errors.AddrInUse ||
        error instanceof Deno.errors.NotCapable
      ) {
        throw error;
      }
      return listen("0.0.0.0");
    }
  }

  _listen(options) {
    return Deno.listen(options);
  }

  async #accept(listener) {
    while (this.#listener === listener) {
      let conn;
      try {
        conn = await listener.accept();
      } catch (error) {
        if (this.#listener !== listener) {
          return;
        }
        if (
          error instanceof Deno.errors.BadResource ||
          error instanceof Deno.errors.Interrupted
        ) {
          return;
        }
        // One connection that broke, or no descriptor for another.
        await new Promise((resolve) => setTimeout(resolve, 10));
        continue;
      }
      if (
        this.maxConnections !== undefined &&
        this.#connections.size >= this.maxConnections
      ) {
        conn.close();
        this.emit("drop", {});
        continue;
      }
      conn.setNoDelay?.(true);
      const socket = this._socket(conn);
      this.#connections.add(socket);
      if (this.pauseOnConnect) {
        socket.pause();
      }
      this.emit("connection", socket);
      if (!socket.isPaused()) {
        socket.read(0);
      }
    }
  }

  _socket(conn) {
    return new Socket({
      [kConn]: conn,
      allowHalfOpen: this.allowHalfOpen,
      server: this,
    });
  }

  [kClosed](socket) {
    this.#connections.delete(socket);
    this.#closeMaybe();
  }

  /** Listens no more. 'close', and the callback, when the last connection has gone. */
  close(callback) {
    if (callback !== undefined) {
      if (this.#listener === null) {
        this.once("close", () =>
          callback(
            withCode(
              new Error("Server is not running."),
              "ERR_SERVER_NOT_RUNNING",
            ),
          ));
      } else {
        this.once("close", callback);
      }
    }
    this.#listener?.close();
    this.#listener = null;
    this.#address = null;
    this.#isClosing = true;
    this.#closeMaybe();
    return this;
  }

  #closeMaybe() {
    if (this.#isClosing && this.#connections.size === 0) {
      this.#isClosing = false;
      process.nextTick(() => this.emit("close"));
    }
  }

  address() {
    return this.#address;
  }

  getConnections(callback) {
    process.nextTick(callback, null, this.#connections.size);
    return this;
  }

  get [kConnections]() {
    return this.#connections;
  }

  ref() {
    this.#isRefed = true;
    this.#listener?.ref?.();
    return this;
  }

  unref() {
    this.#isRefed = false;
    this.#listener?.unref?.();
    return this;
  }

  async [Symbol.asyncDispose]() {
    await new Promise((resolve) => this.close(() => resolve()));
  }
}

function createServer(options, onConnection) {
  return new Server(options, onConnection);
}

function connect(...args) {
  const [options, callback] = normalizeArgs(args);
  const socket = new Socket(options);
  if (options.timeout) {
    socket.setTimeout(options.timeout);
  }
  return socket.connect(options, callback);
}

const createConnection = connect;
const Stream = Socket;

function isIPv4(text) {
  return /^(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.(?!$)|$)){4}$/.test(text);
}

function isIPv6(text) {
  if (!text.includes(":")) {
    return false;
  }
  try {
    new URL(`http://[${text}]`);
    return true;
  } catch {
    return false;
  }
}

function isIP(text) {
  text = String(text);
  return isIPv4(text) ? 4 : isIPv6(text) ? 6 : 0;
}

export default {
  connect,
  createConnection,
  createServer,
  isIP,
  isIPv4,
  isIPv6,
  Server,
  Socket,
  Stream,
};
export {
  connect,
  createConnection,
  createServer,
  isIP,
  isIPv4,
  isIPv6,
  kConn,
  kConnections,
  normalizeArgs,
  Server,
  Socket,
  Stream,
};
