// node:http

import { Buffer } from "node:buffer";
import EventEmitter from "node:events";
import { missing, withCode } from "node:internal/errors";
import {
  HttpParser,
  INVALID_VALUE,
  MAX_HEADER_SIZE,
  TOKEN,
} from "node:internal/http_parser";
import net, { kConnections, Server as NetServer } from "node:net";
import process from "node:process";
import { Readable, Writable } from "node:stream";
import { clearTimeout, setTimeout } from "node:timers";
import { urlToHttpOptions } from "node:url";

const METHODS = [
  "CONNECT",
  "DELETE",
  "GET",
  "HEAD",
  "OPTIONS",
  "PATCH",
  "POST",
  "PUT",
  "TRACE",
];

const STATUS_CODES = {
  100: "Continue",
  101: "Switching Protocols",
  102: "Processing",
  103: "Early Hints",
  200: "OK",
  201: "Created",
  202: "Accepted",
  203: "Non-Authoritative Information",
  204: "No Content",
  205: "Reset Content",
  206: "Partial Content",
  207: "Multi-Status",
  208: "Already Reported",
  226: "IM Used",
  300: "Multiple Choices",
  301: "Moved Permanently",
  302: "Found",
  303: "See Other",
  304: "Not Modified",
  305: "Use Proxy",
  307: "Temporary Redirect",
  308: "Permanent Redirect",
  400: "Bad Request",
  401: "Unauthorized",
  402: "Payment Required",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  406: "Not Acceptable",
  407: "Proxy Authentication Required",
  408: "Request Timeout",
  409: "Conflict",
  410: "Gone",
  411: "Length Required",
  412: "Precondition Failed",
  413: "Payload Too Large",
  414: "URI Too Long",
  415: "Unsupported Media Type",
  416: "Range Not Satisfiable",
  417: "Expectation Failed",
  418: "I'm a Teapot",
  421: "Misdirected Request",
  422: "Unprocessable Entity",
  423: "Locked",
  424: "Failed Dependency",
  425: "Too Early",
  426: "Upgrade Required",
  428: "Precondition Required",
  429: "Too Many Requests",
  431: "Request Header Fields Too Large",
  451: "Unavailable For Legal Reasons",
  500: "Internal Server Error",
  501: "Not Implemented",
  502: "Bad Gateway",
  503: "Service Unavailable",
  504: "Gateway Timeout",
  505: "HTTP Version Not Supported",
  506: "Variant Also Negotiates",
  507: "Insufficient Storage",
  508: "Loop Detected",
  509: "Bandwidth Limit Exceeded",
  510: "Not Extended",
  511: "Network Authentication Required",
};

/** Headers of which the first counts. */
const SINGLE = new Set([
  "age",
  "authorization",
  "content-length",
  "content-type",
  "etag",
  "expires",
  "from",
  "host",
  "if-modified-since",
  "if-unmodified-since",
  "last-modified",
  "location",
  "max-forwards",
  "proxy-authorization",
  "referer",
  "retry-after",
  "server",
  "user-agent",
]);

/** A message that is received. */
class IncomingMessage extends Readable {
  aborted = false;
  complete = false;
  headers = {};
  headersDistinct = {};
  httpVersion = "1.1";
  httpVersionMajor = 1;
  httpVersionMinor = 1;
  method = null;
  rawHeaders = [];
  rawTrailers = [];
  statusCode = null;
  statusMessage = null;
  trailers = {};
  url = "";

  constructor(socket) {
    super({ highWaterMark: socket?.readableHighWaterMark });
    this.socket = socket;
  }

  get connection() {
    return this.socket;
  }

  _read() {
    if (!this.complete && this.socket?.readable) {
      this.socket.resume();
    }
  }

  _destroy(error, callback) {
    if (!this.complete && !this.aborted) {
      this.aborted = true;
      this.emit("aborted");
    }
    // Who does not listen is not ended by a peer that left.
    callback(this.listenerCount("error") === 0 ? null : error);
  }

  setTimeout(timeout, callback) {
    this.socket.setTimeout(timeout, callback);
    return this;
  }

  /** Reads on without a reader. */
  _dump() {
    if (this.readableFlowing === null || this.listenerCount("data") === 0) {
      this.resume();
    }
  }
}

function incoming(socket, head, maxHeadersCount) {
  const message = new IncomingMessage(socket);
  message.httpVersion = `1.${head.versionMinor}`;
  message.httpVersionMinor = head.versionMinor;
  message.method = head.method ?? null;
  message.url = head.url ?? "";
  message.statusCode = head.statusCode ?? null;
  message.statusMessage = head.statusMessage ?? null;
  message.rawHeaders = maxHeadersCount > 0
    ? head.rawHeaders.slice(0, 2 * maxHeadersCount)
    : head.rawHeaders;
  for (let i = 0; i < message.rawHeaders.length; i += 2) {
    addHeader(
      message,
      message.rawHeaders[i].toLowerCase(),
      message.rawHeaders[i + 1],
    );
  }
  return message;
}

function addHeader({ headers, headersDistinct }, name, value) {
  const before = Object.hasOwn(headers, name) ? headers[name] : undefined;
  if (name === "set-cookie") {
    value = [...(before ?? []), value];
  } else if (before !== undefined) {
    if (SINGLE.has(name)) {
      return;
    }
    value = `${before}${name === "cookie" ? ";" : ","} ${value}`;
  }
  // A header may be called __proto__.
  for (const [target, it] of [[headers, value], [headersDistinct, [value]]]) {
    Object.defineProperty(target, name, {
      value: it,
      writable: true,
      enumerable: true,
      configurable: true,
    });
  }
}

function validateHeaderName(name) {
  if (typeof name !== "string" || !TOKEN.test(name)) {
    throw withCode(
      new TypeError(`Header name must be a valid HTTP token ["${name}"]`),
      "ERR_INVALID_HTTP_TOKEN",
    );
  }
}

function validateHeaderValue(name, value) {
  if (value === undefined) {
    throw withCode(
      new TypeError(`Invalid value "undefined" for header "${name}"`),
      "ERR_HTTP_INVALID_HEADER_VALUE",
    );
  }
  if (
    INVALID_VALUE.test(value) || [...String(value)].some((it) => it > "\xff")
  ) {
    throw withCode(
      new TypeError(`Invalid character in header content ["${name}"]`),
      "ERR_INVALID_CHAR",
    );
  }
}

/** A message that is sent: its headers, and a body with a length or in chunks. */
class OutgoingMessage extends Writable {
  #headers = new Map();
  #isChunked = false;
  #hasBody = true;
  // What was written before there was a socket.
  #waiting = [];
  headersSent = false;
  socket = null;
  sendDate = false;
  shouldKeepAlive = true;

  constructor() {
    super({ autoDestroy: false, emitClose: false });
  }

  get connection() {
    return this.socket;
  }

  get finished() {
    return this.writableEnded;
  }

  get _header() {
    return this.headersSent ? this._startLine() : null;
  }

  setHeader(name, value) {
    if (this.headersSent) {
      throw withCode(
        new Error("Cannot set headers after they are sent to the client"),
        "ERR_HTTP_HEADERS_SENT",
      );
    }
    validateHeaderName(name);
    for (const it of [value].flat()) {
      validateHeaderValue(name, it);
    }
    this.#headers.set(name.toLowerCase(), [name, value]);
    return this;
  }

  appendHeader(name, value) {
    const before = this.getHeader(name);
    return this.setHeader(
      name,
      before === undefined ? value : [before, value].flat(),
    );
  }

  setHeaders(headers) {
    for (const [name, value] of headers) {
      this.setHeader(name, value);
    }
    return this;
  }

  getHeader(name) {
    return this.#headers.get(String(name).toLowerCase())?.[1];
  }

  getHeaderNames() {
    return [...this.#headers.keys()];
  }

  getHeaders() {
    const headers = { __proto__: null };
    for (const [name, [, value]] of this.#headers) {
      headers[name] = value;
    }
    return headers;
  }

  hasHeader(name) {
    return this.#headers.has(String(name).toLowerCase());
  }

  removeHeader(name) {
    if (this.headersSent) {
      throw withCode(
        new Error("Cannot remove headers after they are sent to the client"),
        "ERR_HTTP_HEADERS_SENT",
      );
    }
    this.#headers.delete(String(name).toLowerCase());
  }

  flushHeaders() {
    if (!this.headersSent) {
      this.#send(this.#head(undefined), () => {});
    }
  }

  addTrailers() {
    throw missing("response.addTrailers()");
  }

  /** The head, with what the message's framing needs. */
  #head(length) {
    this.headersSent = true;
    this.#hasBody = this._mayHaveBody();
    if (this.sendDate && !this.hasHeader("date")) {
      this.#headers.set("date", ["Date", new Date().toUTCString()]);
    }
    if (!this.hasHeader("connection")) {
      this.#headers.set("connection", [
        "Connection",
        this.shouldKeepAlive ? "keep-alive" : "close",
      ]);
    } else if (/\bclose\b/i.test(this.getHeader("connection"))) {
      this.shouldKeepAlive = false;
    }
    const isFramed = this.hasHeader("content-length") ||
      this.hasHeader("transfer-encoding");
    if (!isFramed && this.#hasBody && this._sendsBody(length)) {
      if (length !== undefined) {
        this.#headers.set("content-length", ["Content-Length", length]);
      } else if (this._mayChunk()) {
        this.#headers.set("transfer-encoding", [
          "Transfer-Encoding",
          "chunked",
        ]);
      } else {
        this.shouldKeepAlive = false;
        this.#headers.set("connection", ["Connection", "close"]);
      }
    }
    this.#isChunked = this.#hasBody &&
      /\bchunked\b/i.test(this.getHeader("transfer-encoding") ?? "");
    let head = `${this._startLine()}\r\n`;
    for (const [name, value] of this.#headers.values()) {
      for (const it of [value].flat()) {
        head += `${name}: ${it}\r\n`;
      }
    }
    return Buffer.from(`${head}\r\n`, "latin1");
  }

  _sendsBody() {
    return true;
  }

  _mayChunk() {
    return true;
  }

  write(chunk, encoding, callback) {
    if (typeof encoding === "function") {
      [encoding, callback] = [undefined, encoding];
    }
    return super.write(chunk, encoding, callback);
  }

  _write(chunk, _encoding, callback) {
    const parts = [];
    if (!this.headersSent) {
      parts.push(this.#head(undefined));
    }
    if (this.#hasBody) {
      parts.push(...this.#frame(chunk));
    }
    this.#send(Buffer.concat(parts), callback);
  }

  #frame(chunk) {
    if (!this.#isChunked || chunk.length === 0) {
      return [chunk];
    }
    return [
      Buffer.from(`${chunk.length.toString(16)}\r\n`),
      chunk,
      Buffer.from("\r\n"),
    ];
  }

  end(chunk, encoding, callback) {
    if (typeof chunk === "function") {
      [chunk, encoding, callback] = [undefined, undefined, chunk];
    } else if (typeof encoding === "function") {
      [encoding, callback] = [undefined, encoding];
    }
    if (
      !this.headersSent && !this.writableEnded && this.writableLength === 0
    ) {
      // The whole body is known, and with it its length.
      const bytes = chunk === undefined || chunk === null
        ? Buffer.alloc(0)
        : typeof chunk === "string"
        ? Buffer.from(chunk, encoding)
        : chunk;
      const head = this.#head(bytes.length);
      this.#send(
        this.#hasBody ? Buffer.concat([head, ...this.#frame(bytes)]) : head,
        () => {},
      );
      chunk = undefined;
    }
    return super.end(chunk, encoding, callback);
  }

  _final(callback) {
    this.#send(
      this.#isChunked ? Buffer.from("0\r\n\r\n") : Buffer.alloc(0),
      (error) => callback(error),
    );
  }

  #send(bytes, callback) {
    if (this.socket === null) {
      this.#waiting.push([bytes, callback]);
    } else if (bytes.length === 0) {
      callback();
    } else if (this.socket.writable) {
      this.socket.write(bytes, callback);
    } else {
      // Whoever sent it learns of the end by 'close'.
      callback();
    }
  }

  /** Gives the message the connection that it goes out on. */
  _attach(socket) {
    this.socket = socket;
    for (const [bytes, callback] of this.#waiting.splice(0)) {
      this.#send(bytes, callback);
    }
  }

  setTimeout(timeout, callback) {
    if (callback !== undefined) {
      this.once("timeout", callback);
    }
    this.timeout = timeout;
    this.socket?.setTimeout(timeout);
    return this;
  }
}

class ServerResponse extends OutgoingMessage {
  statusCode = 200;
  statusMessage = undefined;
  sendDate = true;
  #isFor;

  constructor(request) {
    super();
    this.req = request;
    this.#isFor = request.method;
  }

  writeHead(statusCode, statusMessage, headers) {
    if (typeof statusMessage !== "string") {
      [statusMessage, headers] = [undefined, statusMessage];
    }
    if (this.headersSent) {
      throw withCode(
        new Error("Cannot write headers after they are sent to the client"),
        "ERR_HTTP_HEADERS_SENT",
      );
    }
    if (!(statusCode >= 100 && statusCode <= 999)) {
      throw withCode(
        new RangeError(`Invalid status code: ${statusCode}`),
        "ERR_HTTP_INVALID_STATUS_CODE",
      );
    }
    this.statusCode = statusCode;
    this.statusMessage = statusMessage ?? this.statusMessage;
    if (Array.isArray(headers)) {
      for (let i = 0; i < headers.length; i += 2) {
        this.setHeader(headers[i], headers[i + 1]);
      }
    } else {
      for (const [name, value] of Object.entries(headers ?? {})) {
        if (value !== undefined) {
          this.setHeader(name, value);
        }
      }
    }
    return this;
  }

  writeContinue() {
    this.socket?.write("HTTP/1.1 100 Continue\r\n\r\n");
  }

  writeProcessing() {
    this.socket?.write("HTTP/1.1 102 Processing\r\n\r\n");
  }

  _startLine() {
    this.statusMessage ??= STATUS_CODES[this.statusCode] ?? "unknown";
    if (INVALID_VALUE.test(this.statusMessage)) {
      throw withCode(
        new TypeError("Invalid character in statusMessage"),
        "ERR_INVALID_CHAR",
      );
    }
    return `HTTP/1.1 ${this.statusCode} ${this.statusMessage}`;
  }

  _mayHaveBody() {
    return this.#isFor !== "HEAD" && this.statusCode !== 204 &&
      this.statusCode !== 304 && this.statusCode >= 200;
  }

  _mayChunk() {
    return this.req.httpVersionMinor === 1;
  }

  assignSocket(socket) {
    this._attach(socket);
  }

  destroy(error) {
    this.socket?.destroy(error);
    return super.destroy();
  }
}

class Server extends NetServer {
  /** How long a head may take, in ms. */
  headersTimeout = 60_000;
  /** How long a connection may be idle between requests, in ms. */
  keepAliveTimeout = 5000;
  /** How long a request may take, in ms; 0 is for ever. */
  requestTimeout = 300_000;
  maxHeadersCount = null;
  timeout = 0;
  #maxHeaderSize;

  constructor(options = {}, onRequest) {
    if (typeof options === "function") {
      [options, onRequest] = [{}, options];
    }
    super({ allowHalfOpen: true, ...options });
    this.#take(options);
    if (onRequest !== undefined) {
      this.on("request", onRequest);
    }
    this.on("connection", (socket) => this._serve(socket));
  }

  #take(options) {
    takeServerOptions(this, options);
    this.#maxHeaderSize = options?.maxHeaderSize ?? MAX_HEADER_SIZE;
  }

  _serve(socket) {
    serve(this, socket, this.#maxHeaderSize);
  }

  setTimeout(timeout, callback) {
    this.timeout = timeout;
    if (callback !== undefined) {
      this.on("timeout", callback);
    }
    return this;
  }

  close(callback) {
    super.close(callback);
    this.closeIdleConnections();
    return this;
  }

  closeAllConnections() {
    for (const socket of this[kConnections]) {
      socket.destroy();
    }
  }

  closeIdleConnections() {
    for (const socket of this[kConnections]) {
      if (socket[kIsIdle]?.()) {
        socket.destroy();
      }
    }
  }
}

const kIsIdle = Symbol("isIdle");

function takeServerOptions(server, options = {}) {
  for (
    const name of [
      "headersTimeout",
      "keepAliveTimeout",
      "requestTimeout",
      "maxHeadersCount",
    ]
  ) {
    if (options?.[name] !== undefined) {
      server[name] = options[name];
    }
  }
}

/** Serves one connection of `server`, which is one of HTTP or of HTTPS. */
function serve(server, socket, maxHeaderSize = MAX_HEADER_SIZE) {
  let request = null;
  let response = null;
  let timer = null;
  let isGone = false;
  let hasEnded = false;
  let hasServed = false;

  const limit = (timeout, expired) => {
    clearTimeout(timer);
    timer = timeout > 0 ? setTimeout(expired, timeout).unref() : null;
  };
  const waitForHead = () => {
    if (hasServed && !parser.isBusy) {
      limit(server.keepAliveTimeout, () => socket.destroy());
    } else {
      limit(server.headersTimeout, () => {
        const error = withCode(
          new Error("Request timeout"),
          "ERR_HTTP_REQUEST_TIMEOUT",
        );
        onClientError(error);
      });
    }
  };

  const parser = new HttpParser("request", {
    onHead(head) {
      hasServed = true;
      request = incoming(socket, head, server.maxHeadersCount);
      if (
        (head.isUpgrade && server.listenerCount("upgrade") > 0) ||
        (head.method === "CONNECT" && server.listenerCount("connect") > 0)
      ) {
        detach();
        const name = head.method === "CONNECT" ? "connect" : "upgrade";
        const upgraded = request;
        request.complete = true;
        request.push(null);
        queueUpgrade(name, upgraded);
        return { isUpgrade: true };
      }
      if (head.method === "CONNECT") {
        socket.destroy();
        return { isUpgrade: true };
      }
      limit(server.requestTimeout, () => {
        onClientError(
          withCode(new Error("Request timeout"), "ERR_HTTP_REQUEST_TIMEOUT"),
        );
      });
      begin(head);
    },
    onBody(chunk) {
      if (!request.push(chunk)) {
        socket.pause();
      }
    },
    onComplete() {
      limit(0);
      request.complete = true;
      request.push(null);
    },
  }, maxHeaderSize);

  // The rest of what was read is known when the parser has returned.
  let upgrade = null;
  const queueUpgrade = (name, upgraded) => {
    upgrade = () => {
      const head = parser.takeRest();
      socket._readableState.flowing = null;
      server.emit(name, upgraded, socket, head);
    };
  };

  const begin = (head) => {
    response = new ServerResponse(request);
    response.shouldKeepAlive = head.shouldKeepAlive &&
      server.listening !== false;
    response._attach(socket);
    const current = response;
    const currentRequest = request;
    response.on("finish", () => {
      if (isGone || response !== current) {
        return;
      }
      response = null;
      currentRequest._dump();
      process.nextTick(() => current.emit("close"));
      if (!current.shouldKeepAlive || hasEnded || !server.listening) {
        socket.destroySoon();
        return;
      }
      if (currentRequest.complete) {
        nextRequest();
      } else {
        currentRequest.once("end", nextRequest);
      }
    });
    const expect = request.headers.expect;
    if (
      expect?.toLowerCase() === "100-continue" && head.versionMinor === 1
    ) {
      if (server.listenerCount("checkContinue") > 0) {
        server.emit("checkContinue", request, response);
        return;
      }
      response.writeContinue();
    }
    server.emit("request", request, response);
  };

  const nextRequest = () => {
    if (isGone) {
      return;
    }
    request = null;
    waitForHead();
    socket.resume();
    run(() => parser.next());
  };

  const run = (step) => {
    try {
      step();
    } catch (error) {
      if (error?.code?.startsWith("HPE_")) {
        onClientError(error);
        return;
      }
      throw error;
    }
    if (upgrade !== null) {
      const start = upgrade;
      upgrade = null;
      start();
    }
  };

  const onClientError = (error) => {
    clearTimeout(timer);
    socket.removeListener("data", onData);
    if (server.listenerCount("clientError") > 0) {
      server.emit("clientError", error, socket);
      return;
    }
    if (socket.writable && response === null) {
      const status = error.code === "HPE_HEADER_OVERFLOW"
        ? 431
        : error.code === "ERR_HTTP_REQUEST_TIMEOUT"
        ? 408
        : 400;
      socket.end(
        `HTTP/1.1 ${status} ${
          STATUS_CODES[status]
        }\r\nConnection: close\r\n\r\n`,
      );
      socket.destroySoon();
    } else {
      socket.destroy();
    }
  };

  const onData = (chunk) => {
    if (request === null && hasServed) {
      waitForHead();
    }
    run(() => parser.feed(chunk));
    if (response !== null && request?.complete) {
      // One request at a time: what follows waits in the system.
      socket.pause();
    }
  };
  const onEnd = () => {
    hasEnded = true;
    try {
      parser.end();
    } catch (error) {
      onClientError(error);
      return;
    }
    if (response === null) {
      socket.end();
    }
  };
  const onError = (error) => {
    if (server.listenerCount("clientError") > 0) {
      server.emit("clientError", error, socket);
    }
    socket.destroy();
  };
  const onClose = () => {
    isGone = true;
    clearTimeout(timer);
    if (request !== null && !request.complete) {
      request.destroy(withCode(new Error("aborted"), "ECONNRESET"));
    }
    if (response !== null) {
      const current = response;
      response = null;
      current._writableState.destroyed = true;
      current.emit("close");
    }
  };
  const onTimeout = () => {
    const isHeard = request?.emit("timeout", socket) ||
      response?.emit("timeout", socket) || server.emit("timeout", socket);
    if (!isHeard) {
      socket.destroy();
    }
  };
  const detach = () => {
    clearTimeout(timer);
    timer = null;
    isGone = true;
    socket.removeListener("data", onData);
    socket.removeListener("end", onEnd);
    socket.removeListener("error", onError);
    socket.removeListener("close", onClose);
    socket.removeListener("timeout", onTimeout);
    delete socket[kIsIdle];
    socket.setTimeout(0);
  };

  socket[kIsIdle] = () => response === null && !parser.isBusy && hasServed;
  socket.on("data", onData);
  socket.on("end", onEnd);
  socket.on("error", onError);
  socket.on("close", onClose);
  socket.on("timeout", onTimeout);
  if (server.timeout > 0) {
    socket.setTimeout(server.timeout);
  }
  waitForHead();
}

function createServer(options, onRequest) {
  return new Server(options, onRequest);
}

/**
 * Opens the connections of requests, one for each: none is kept for the next, whatever
 * `keepAlive` says.
 */
class Agent extends EventEmitter {
  defaultPort = 80;
  protocol = "http:";
  maxSockets = Infinity;
  requests = {};
  sockets = {};
  freeSockets = {};

  constructor(options = {}) {
    super();
    this.options = { ...options };
    this.keepAlive = options.keepAlive ?? false;
    if (
      options.maxSockets !== undefined && options.maxSockets !== Infinity
    ) {
      throw missing("the option `maxSockets` of http.Agent");
    }
  }

  createConnection(options, callback) {
    return net.createConnection(options, callback);
  }

  addRequest(request, options) {
    const socket = this.createConnection({ ...this.options, ...options });
    request.onSocket(socket);
  }

  getName({ host = "localhost", port = "", localAddress = "" } = {}) {
    return `${host}:${port}:${localAddress}`;
  }

  destroy() {}
}

const globalAgent = new Agent();

class ClientRequest extends OutgoingMessage {
  aborted = false;
  maxHeadersCount = null;
  reusedSocket = false;
  res = null;
  timeout = undefined;
  #isClosed = false;
  #hasUpgraded = false;
  #parser = null;
  #error = null;

  constructor(input, options, callback) {
    super();
    [options, callback] = requestArgs(input, options, callback);
    const protocol = options.protocol ??
      options.agent?.protocol ?? options._defaultAgent?.protocol ?? "http:";
    const defaultAgent = options._defaultAgent ?? globalAgent;
    let agent = options.agent;
    if (agent === false) {
      agent = new defaultAgent.constructor();
    } else if (agent === undefined || agent === null) {
      agent = typeof options.createConnection === "function"
        ? undefined
        : defaultAgent;
    }
    const expected = agent?.protocol ?? defaultAgent.protocol;
    if (options.protocol && expected && options.protocol !== expected) {
      throw withCode(
        new TypeError(
          `Protocol "${options.protocol}" not supported. Expected "${expected}"`,
        ),
        "ERR_INVALID_PROTOCOL",
      );
    }
    this.agent = agent;
    this.protocol = protocol;
    this.method = (options.method ?? "GET").toUpperCase();
    if (!TOKEN.test(this.method)) {
      throw withCode(
        new TypeError(`Method must be a valid HTTP token ["${this.method}"]`),
        "ERR_INVALID_HTTP_TOKEN",
      );
    }
    this.path = options.path || "/";
    if (/[^\x21-\xff]/.test(this.path)) {
      throw withCode(
        new TypeError("Request path contains unescaped characters"),
        "ERR_UNESCAPED_CHARACTERS",
      );
    }
    const defaultPort = options.defaultPort ?? agent?.defaultPort ??
      (protocol === "https:" ? 443 : 80);
    const port = options.port || defaultPort;
    const host = options.hostname || options.host || "localhost";
    this.host = host;
    this.shouldKeepAlive = false;
    this.timeout = options.timeout;
    if (Array.isArray(options.headers)) {
      for (const it of options.headers) {
        this.setHeader(it[0], it[1]);
      }
    } else {
      for (const [name, value] of Object.entries(options.headers ?? {})) {
        if (value !== undefined) {
          this.setHeader(name, value);
        }
      }
    }
    if (!this.hasHeader("host") && options.setHost !== false) {
      const name = host.includes(":") ? `[${host}]` : host;
      this.setHeader(
        "Host",
        Number(port) === defaultPort ? name : `${name}:${port}`,
      );
    }
    if (options.auth && !this.hasHeader("authorization")) {
      this.setHeader(
        "Authorization",
        `Basic ${Buffer.from(options.auth).toString("base64")}`,
      );
    }
    if (callback !== undefined) {
      this.once("response", callback);
    }
    options.signal?.addEventListener(
      "abort",
      () => this.destroy(options.signal.reason),
    );
    const dial = { ...options, host, port };
    delete dial.path;
    if (options.socketPath) {
      dial.path = options.socketPath;
      delete dial.host;
      delete dial.port;
    }
    if (agent !== undefined) {
      agent.addRequest(this, { ...dial });
    } else {
      this.onSocket(options.createConnection(dial));
    }
  }

  _startLine() {
    return `${this.method} ${this.path} HTTP/1.1`;
  }

  _mayHaveBody() {
    return true;
  }

  /** A method that has no body by nature gets no length of nought. */
  _sendsBody(length) {
    return length === undefined
      ? !["GET", "HEAD", "DELETE", "OPTIONS", "TRACE", "CONNECT"].includes(
        this.method,
      )
      : length > 0 || !["GET", "HEAD", "DELETE", "OPTIONS", "TRACE", "CONNECT"]
        .includes(this.method);
  }

  onSocket(socket) {
    process.nextTick(() => this.#open(socket));
  }

  #open(socket) {
    if (this.destroyed) {
      socket.destroy();
      this.#fail(this.#error ?? hangUp());
      return;
    }
    this.#listen(socket);
    this.socket = socket;
    this.emit("socket", socket);
    // A listener may have given it up.
    if (this.destroyed) {
      return;
    }
    this._attach(socket);
    if (this.timeout) {
      socket.setTimeout(this.timeout);
    }
  }

  #listen(socket) {
    const parser = new HttpParser("response", {
      onHead: (head) => this.#onHead(head, socket),
      onBody: (chunk) => {
        if (!this.res.push(chunk)) {
          socket.pause();
        }
      },
      onComplete: () => {
        if (this.res === null) {
          // An interim response.
          process.nextTick(() => this.#run(() => parser.next(), socket));
          return;
        }
        this.res.complete = true;
        this.res.push(null);
        socket.end();
        const finish = () => {
          socket.destroySoon();
          this.#close();
        };
        if (this.res.readableEnded) {
          finish();
        } else {
          this.res.once("end", finish);
        }
      },
    });
    this.#parser = parser;
    socket.on("data", this.#onData);
    socket.on("end", this.#onEnd);
    socket.on("error", this.#onError);
    socket.on("close", this.#onClose);
    socket.on("timeout", this.#onTimeout);
  }

  #detach(socket) {
    socket.removeListener("data", this.#onData);
    socket.removeListener("end", this.#onEnd);
    socket.removeListener("error", this.#onError);
    socket.removeListener("close", this.#onClose);
    socket.removeListener("timeout", this.#onTimeout);
  }

  #onData = (chunk) => this.#run(() => this.#parser.feed(chunk), this.socket);

  #onEnd = () => {
    try {
      this.#parser.end();
    } catch {
      this.#onClose();
      return;
    }
    if (this.res === null) {
      this.#fail(hangUp());
    }
    this.socket?.end();
  };

  #onError = (error) => {
    if (this.res === null) {
      this.#fail(error);
    } else if (!this.res.complete) {
      this.res.destroy(error);
    }
  };

  #onClose = () => {
    if (this.res === null) {
      this.#fail(this.#error ?? hangUp());
    } else {
      if (!this.res.complete) {
        this.res.destroy(withCode(new Error("aborted"), "ECONNRESET"));
      }
      this.#close();
    }
  };

  #onTimeout = () => {
    this.emit("timeout");
  };

  #run(step, socket) {
    try {
      step();
    } catch (error) {
      if (!error?.code?.startsWith("HPE_")) {
        throw error;
      }
      this.#detach(socket);
      socket.on("error", () => {});
      socket.destroy();
      if (this.res === null) {
        this.#fail(error);
      } else {
        this.res.destroy(error);
      }
      return;
    }
    if (this.#pendingUpgrade !== null) {
      const start = this.#pendingUpgrade;
      this.#pendingUpgrade = null;
      start();
    }
  }

  #pendingUpgrade = null;

  #onHead(head, socket) {
    const { statusCode } = head;
    if (statusCode >= 100 && statusCode < 200 && statusCode !== 101) {
      this.emit(statusCode === 100 ? "continue" : "information", {
        statusCode,
        rawHeaders: head.rawHeaders,
      });
      return { hasBody: false };
    }
    const response = incoming(socket, head, this.maxHeadersCount);
    response.req = this;
    this.res = response;
    const name = this.method === "CONNECT" ? "connect" : "upgrade";
    if (
      (statusCode === 101 && head.isUpgrade) ||
      (this.method === "CONNECT" && statusCode === 200)
    ) {
      this.#hasUpgraded = true;
      response.complete = true;
      response.push(null);
      this.#pendingUpgrade = () => {
        const rest = this.#parser.takeRest();
        this.#detach(socket);
        socket.setTimeout(0);
        socket._readableState.flowing = null;
        if (!this.emit(name, response, socket, rest)) {
          socket.destroy();
        }
        this.#close();
      };
      return { isUpgrade: true };
    }
    if (this.destroyed) {
      response._dump();
    } else if (!this.emit("response", response)) {
      response._dump();
    }
    return {
      hasBody: this.method !== "HEAD" && statusCode !== 204 &&
        statusCode !== 304 && statusCode !== 101,
    };
  }

  abort() {
    if (this.aborted) {
      return;
    }
    this.aborted = true;
    process.nextTick(() => this.emit("abort"));
    this.destroy();
  }

  destroy(error) {
    if (this.destroyed) {
      return this;
    }
    this._writableState.destroyed = true;
    this.#error = error ?? null;
    this.res?._dump();
    if (this.socket !== null && !this.#hasUpgraded) {
      if (this.res === null) {
        this.#detach(this.socket);
        this.socket.on("error", () => {});
        this.socket.destroy();
        process.nextTick(() => this.#fail(error ?? hangUp()));
      } else {
        this.socket.destroy(error);
      }
    } else if (this.socket === null) {
      process.nextTick(() => {
        if (this.#error !== null || this.socket === null) {
          this.#fail(this.#error ?? hangUp());
        }
      });
    }
    return this;
  }

  #fail(error) {
    if (this.#isClosed) {
      return;
    }
    this._writableState.destroyed = true;
    this.#isClosed = true;
    this.emit("error", error);
    this.emit("close");
  }

  #close() {
    if (!this.#isClosed) {
      this.#isClosed = true;
      this._writableState.destroyed = true;
      process.nextTick(() => this.emit("close"));
    }
  }

  setNoDelay(noDelay) {
    this.socket?.setNoDelay(noDelay);
  }

  setSocketKeepAlive(enable, delay) {
    this.socket?.setKeepAlive(enable, delay);
  }
}

function hangUp() {
  return withCode(new Error("socket hang up"), "ECONNRESET");
}

/** The options and the callback of request(url, options, callback). */
function requestArgs(input, options, callback) {
  if (typeof input === "string" || input instanceof URL) {
    input = urlToHttpOptions(new URL(input));
  } else {
    [input, options, callback] = [{}, input, options];
  }
  if (typeof options === "function") {
    [options, callback] = [{}, options];
  }
  return [{ ...input, ...options }, callback];
}

function request(input, options, callback) {
  return new ClientRequest(input, options, callback);
}

function get(input, options, callback) {
  const it = request(input, options, callback);
  it.end();
  return it;
}

const maxHeaderSize = MAX_HEADER_SIZE;

export default {
  Agent,
  ClientRequest,
  createServer,
  get,
  globalAgent,
  IncomingMessage,
  maxHeaderSize,
  METHODS,
  OutgoingMessage,
  request,
  Server,
  ServerResponse,
  STATUS_CODES,
  validateHeaderName,
  validateHeaderValue,
};
export {
  Agent,
  ClientRequest,
  createServer,
  get,
  globalAgent,
  IncomingMessage,
  maxHeaderSize,
  METHODS,
  OutgoingMessage,
  request,
  requestArgs,
  serve,
  Server,
  ServerResponse,
  STATUS_CODES,
  takeServerOptions,
  validateHeaderName,
  validateHeaderValue,
};
