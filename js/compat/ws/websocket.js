// The WebSocket of `ws`: an EventEmitter over a socket of node:net. Frames are the
// business of the protocol crate.

import { Buffer } from "node:buffer";
import { randomBytes } from "node:crypto";
import EventEmitter from "node:events";
import http, { ClientRequest } from "node:http";
import https from "node:https";
import { missing, withCode } from "node:internal/errors";
import { TOKEN } from "node:internal/http_parser";
import {
  acceptKey,
  checkDeflate,
  closePayload,
  Codec,
  MASK_BY_ROLE,
  MASK_GIVEN,
  MASK_NONE,
  offerDeflate,
  OPCODES,
} from "node:internal/websocket_codec";
import {
  defineAttributes,
  EMPTY_BUFFER,
  EventTarget,
} from "node:internal/ws/event_target";
import net from "node:net";
import process from "node:process";
import { clearTimeout, setTimeout } from "node:timers";
import tls from "node:tls";

const STATES = ["CONNECTING", "OPEN", "CLOSING", "CLOSED"];
const [CONNECTING, OPEN, CLOSING, CLOSED] = [0, 1, 2, 3];

const BINARY_TYPES = ["nodebuffer", "arraybuffer", "fragments", "blob"];
const PROTOCOL_VERSIONS = [8, 13];

const DEFAULT_CLOSE_TIMEOUT = 30_000;
const DEFAULT_MAX_PAYLOAD = 100 * 1024 * 1024;
/** Smaller messages are not compressed. */
const DEFAULT_THRESHOLD = 1024;

/** The socket of a server's request that has a WebSocket. */
const kWebSocket = Symbol("websocket");
const kAborted = Symbol("aborted");

const noop = () => {};

/** What `ws` says of an error of the protocol, by the codec's name for it. */
const ERRORS = {
  __proto__: null,
  ReservedOpcode: [
    "WS_ERR_INVALID_OPCODE",
    (value) => `invalid opcode ${value}`,
  ],
  ReservedBits: ["WS_ERR_UNEXPECTED_RSV_2_3", "RSV2 and RSV3 must be clear"],
  CompressedBit: ["WS_ERR_UNEXPECTED_RSV_1", "RSV1 must be clear"],
  CompressedData: ["Z_DATA_ERROR", null],
  MaskRequired: ["WS_ERR_EXPECTED_MASK", "MASK must be set"],
  MaskForbidden: ["WS_ERR_UNEXPECTED_MASK", "MASK must be clear"],
  LengthNotMinimal: [
    "WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH",
    "payload length is not minimally encoded",
  ],
  LengthOverflow: [
    "WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH",
    "payload length > 2^53 - 1",
  ],
  ControlTooLong: [
    "WS_ERR_INVALID_CONTROL_PAYLOAD_LENGTH",
    "invalid payload length",
  ],
  ControlFragmented: ["WS_ERR_EXPECTED_FIN", "FIN must be set"],
  ContinuationUnexpected: ["WS_ERR_INVALID_OPCODE", "invalid opcode 0"],
  ContinuationExpected: ["WS_ERR_INVALID_OPCODE", "invalid opcode 1"],
  TextNotUtf8: ["WS_ERR_INVALID_UTF8", "invalid UTF-8 sequence", Error],
  ClosePayload: [
    "WS_ERR_INVALID_CONTROL_PAYLOAD_LENGTH",
    "invalid payload length 1",
  ],
  CloseCode: [
    "WS_ERR_INVALID_CLOSE_CODE",
    (value) => `invalid status code ${value}`,
  ],
  CloseReasonNotUtf8: ["WS_ERR_INVALID_UTF8", "invalid UTF-8 sequence", Error],
};

function protocolError(name, message) {
  const [, kind, value] = /^(\w+)(?:\((\d+)\))?/.exec(name);
  if (kind === "PayloadTooLong") {
    return withCode(
      new RangeError("Max payload size exceeded"),
      "WS_ERR_UNSUPPORTED_MESSAGE_LENGTH",
    );
  }
  const entry = ERRORS[kind];
  if (entry === undefined) {
    return withCode(new RangeError(message), "WS_ERR_LIMIT_EXCEEDED");
  }
  const [code, text, Class = RangeError] = entry;
  const detail = typeof text === "function" ? text(value) : text;
  return withCode(
    new Class(detail === null ? message : `Invalid WebSocket frame: ${detail}`),
    code,
  );
}

class WebSocket extends EventEmitter {
  #url;
  #protocol = "";
  #extensions = "";
  #binaryType = "nodebuffer";
  #readyState = CONNECTING;
  #isPaused = false;
  #isServer;
  #options;

  #codec = null;
  #hasDeflate = false;
  // What was written and not taken, and what came too late.
  #bufferedBytes = 0;
  // Work that waits for a Blob, if there is one.
  #queue = null;

  #closeCode = 1006;
  #closeReason = EMPTY_BUFFER;
  #hasFailed = false;
  #isErrorEmitted = false;

  _closeFrameReceived = false;
  _closeFrameSent = false;
  _closeTimer = null;
  _redirects = 0;
  _req = null;
  _socket = null;

  /** How the first request was made, for redirects. */
  #first = null;

  /**
   * @param {string | URL | null} address null for a server's end
   * @param {string | string[] | object=} protocols or the options
   */
  constructor(address, protocols, options) {
    super();
    this.#isServer = address === null;
    if (this.#isServer) {
      this.#options = options ?? {};
      return;
    }
    if (protocols === undefined) {
      protocols = [];
    } else if (!Array.isArray(protocols)) {
      if (typeof protocols === "object" && protocols !== null) {
        [protocols, options] = [[], protocols];
      } else {
        protocols = [protocols];
      }
    }
    this.#connect(address, protocols, options);
  }

  get url() {
    return this.#url;
  }

  get readyState() {
    return this.#readyState;
  }

  get protocol() {
    return this.#protocol;
  }

  /** Only names. */
  get extensions() {
    return this.#extensions;
  }

  get isPaused() {
    return this.#isPaused;
  }

  get binaryType() {
    return this.#binaryType;
  }

  set binaryType(type) {
    if (BINARY_TYPES.includes(type)) {
      this.#binaryType = type;
    }
  }

  /** Bytes of messages that the system has not taken. */
  get bufferedAmount() {
    return this.#bufferedBytes;
  }

  /**
   * Takes over a socket whose handshake is done.
   *
   * @param {Buffer} head what was read of the peer's frames
   */
  setSocket(socket, head, options = {}) {
    this.#options = { ...this.#options, ...options };
    const { perMessageDeflate } = this.#options;
    const agreed = options.agreed ?? null;
    this.#hasDeflate = agreed !== null;
    if (this.#hasDeflate) {
      this.#extensions = "permessage-deflate";
    }
    this.#protocol = options.protocol ?? this.#protocol;
    const maxPayload = this.#options.maxPayload ?? DEFAULT_MAX_PAYLOAD;
    this.#codec = new Codec({
      isServer: this.#isServer,
      agreed,
      perMessageDeflate: deflateOptions(perMessageDeflate),
      maxPayloadLength: maxPayload > 0 ? maxPayload : Number.MAX_SAFE_INTEGER,
      maxFragments: this.#options.maxFragments || undefined,
    });
    this._socket = socket;
    socket[kWebSocket] = this;
    // Not all streams that stand for sockets have these.
    socket.setTimeout?.(0);
    socket.setNoDelay?.();
    if (head.length > 0) {
      socket.unshift(head);
    }
    socket.on("close", this.#onSocketClose);
    socket.on("data", this.#onSocketData);
    socket.on("end", this.#onSocketEnd);
    socket.on("error", this.#onSocketError);
    this.#readyState = OPEN;
    this.emit("open");
  }

  // Receiving.

  #onSocketData = (chunk) => {
    for (const event of this.#codec.decode(chunk)) {
      this.#receive(event);
    }
  };

  #receive({ opcode, data, code, message }) {
    switch (opcode) {
      case OPCODES.TEXT:
        this.emit("message", toBuffer(data), false);
        break;
      case OPCODES.BINARY:
        this.emit("message", this.#convert(data), true);
        break;
      case OPCODES.PING:
        // A peer that reads nothing needs no answer but to its last ping (RFC 6455
        // section 5.5.3), and gets none: answers would pile up.
        if (
          this.#options.autoPong !== false && !this._socket.writableNeedDrain
        ) {
          this.pong(data, !this.#isServer, noop);
        }
        this.emit("ping", toBuffer(data));
        break;
      case OPCODES.PONG:
        this.emit("pong", toBuffer(data));
        break;
      case OPCODES.CLOSE:
        this.#drain();
        this._closeFrameReceived = true;
        this.#closeCode = code;
        this.#closeReason = toBuffer(data);
        if (code === 1005) {
          this.close();
        } else {
          this.close(code, this.#closeReason);
        }
        break;
      case OPCODES.ERROR:
        this.#drain();
        this.#hasFailed = true;
        this.close(code);
        this.#emitError(protocolError(data, message));
        break;
    }
  }

  /** What comes from now on is read and dropped, so that the end is seen. */
  #drain() {
    this._socket.removeListener("data", this.#onSocketData);
    process.nextTick(() => this._socket.resume());
  }

  #convert(data) {
    switch (this.#binaryType) {
      case "arraybuffer":
        return data;
      case "fragments":
        return [toBuffer(data)];
      case "blob":
        return new Blob([data]);
      default:
        return toBuffer(data);
    }
  }

  #emitError(error) {
    if (!this.#isErrorEmitted) {
      this.#isErrorEmitted = true;
      this.emit("error", error);
    }
  }

  #onSocketEnd = () => {
    this.#readyState = CLOSING;
    this._socket.end();
  };

  #onSocketError = () => {
    const socket = this._socket;
    socket.removeListener("error", this.#onSocketError);
    socket.on("error", noop);
    this.#readyState = CLOSING;
    socket.destroy();
  };

  #onSocketClose = () => {
    const socket = this._socket;
    socket.removeListener("close", this.#onSocketClose);
    socket.removeListener("end", this.#onSocketEnd);
    this.#readyState = CLOSING;
    // A socket that was paused may hold the last frames.
    if (
      !this._closeFrameReceived && !this.#hasFailed &&
      !socket.readableEnded && socket.readableLength > 0
    ) {
      const buffered = socket._readableState.buffer.splice(0);
      socket._readableState.length = 0;
      for (const chunk of buffered) {
        this.#onSocketData(chunk);
      }
    }
    socket.removeListener("data", this.#onSocketData);
    clearTimeout(this._closeTimer);
    this.#abandonQueue();
    this.emitClose();
  };

  /** Tells that it is over. */
  emitClose() {
    this.#readyState = CLOSED;
    this.emit("close", this.#closeCode, this.#closeReason);
  }

  // Sending.

  /**
   * @param {{ binary?: boolean, compress?: boolean, fin?: boolean, mask?: boolean }}
   *   options
   * @param {(error?: Error) => void} callback when the system has taken it
   */
  send(data, options, callback) {
    if (this.#readyState === CONNECTING) {
      throw notOpen(CONNECTING);
    }
    if (typeof options === "function") {
      [options, callback] = [{}, options];
    }
    if (typeof data === "number") {
      data = String(data);
    }
    if (this.#readyState !== OPEN) {
      this.#tooLate(data, callback);
      return;
    }
    const { binary, compress = true, fin = true, mask = !this.#isServer } =
      options ?? {};
    const opcode = binary ?? typeof data !== "string"
      ? OPCODES.BINARY
      : OPCODES.TEXT;
    const compressed = compress && this.#hasDeflate;
    this.#withBytes(data, callback, (bytes) =>
      this.#write(
        this.#codec.encodeData(opcode, bytes, {
          fin,
          compress: compressed,
          ...this.#mask(mask),
        }),
        bytes.length,
        callback,
      ));
  }

  ping(data, mask, callback) {
    this.#control(OPCODES.PING, data, mask, callback);
  }

  pong(data, mask, callback) {
    this.#control(OPCODES.PONG, data, mask, callback);
  }

  #control(opcode, data, mask, callback) {
    if (this.#readyState === CONNECTING) {
      throw notOpen(CONNECTING);
    }
    if (typeof data === "function") {
      [data, mask, callback] = [undefined, undefined, data];
    } else if (typeof mask === "function") {
      [mask, callback] = [undefined, mask];
    }
    if (typeof data === "number") {
      data = String(data);
    }
    if (this.#readyState !== OPEN) {
      this.#tooLate(data, callback);
      return;
    }
    mask ??= !this.#isServer;
    this.#withBytes(data, callback, (bytes) =>
      this.#write(
        this.#codec.encodeControl(opcode, bytes, this.#mask(mask)),
        bytes.length,
        callback,
      ));
  }

  #mask(mask) {
    const { generateMask } = this.#options;
    if (!mask) {
      return { mask: MASK_NONE };
    }
    if (generateMask === undefined || generateMask === null) {
      return { mask: MASK_BY_ROLE };
    }
    const key = Buffer.alloc(4);
    generateMask(key);
    return { mask: MASK_GIVEN, key: key.readInt32BE(0) };
  }

  #write(frame, length, callback) {
    this.#bufferedBytes += length;
    this._socket.write(frame, (error) => {
      this.#bufferedBytes -= length;
      callback?.(error);
    });
  }

  /** Runs `work` with the bytes of `data`, in the order of the calls. */
  #withBytes(data, callback, work) {
    const isBlob = typeof Blob !== "undefined" && data instanceof Blob;
    if (this.#queue === null && !isBlob) {
      work(bytesOf(data));
      return;
    }
    const length = sizeOf(data);
    this.#bufferedBytes += length;
    const entry = { data, length, callback, work };
    if (this.#queue !== null) {
      this.#queue.push(entry);
      return;
    }
    this.#queue = [entry];
    this.#runQueue();
  }

  async #runQueue() {
    while (this.#queue.length > 0) {
      const entry = this.#queue[0];
      const { data, length, callback, work } = entry;
      let bytes;
      try {
        bytes = data instanceof Blob
          ? new Uint8Array(await data.arrayBuffer())
          : bytesOf(data);
      } catch (error) {
        if (this.#queue[0] === entry) {
          this.#queue.shift();
          this.#bufferedBytes -= length;
          callback?.(error);
          this.#failSending(error);
        }
        continue;
      }
      if (this.#queue[0] !== entry) {
        break;
      }
      this.#queue.shift();
      this.#bufferedBytes -= length;
      work(bytes);
    }
    this.#queue = null;
  }

  /** The socket has gone while a Blob was read. */
  #abandonQueue() {
    if (this.#queue === null) {
      return;
    }
    const error = new Error(
      "The socket was closed while the blob was being read",
    );
    for (const { length, callback } of this.#queue.splice(0)) {
      this.#bufferedBytes -= length;
      callback?.(error);
    }
  }

  #failSending(error) {
    if (this.#readyState === CLOSED) {
      return;
    }
    if (this.#readyState === OPEN) {
      this.#readyState = CLOSING;
      this.#setCloseTimer();
    }
    this._socket.end();
    this.#emitError(error);
  }

  #tooLate(data, callback) {
    if (data !== undefined && data !== null) {
      this.#bufferedBytes += sizeOf(data);
    }
    if (callback !== undefined) {
      process.nextTick(callback, notOpen(this.#readyState));
    }
  }

  // The end.

  /** Begins the close handshake, behind what was sent. */
  close(code, reason) {
    if (this.#readyState === CLOSED) {
      return;
    }
    if (this.#readyState === CONNECTING) {
      abortHandshake(
        this,
        this._req,
        "WebSocket was closed before the connection was established",
      );
      return;
    }
    if (this.#readyState === CLOSING) {
      if (
        this._closeFrameSent && (this._closeFrameReceived || this.#hasFailed)
      ) {
        this._socket.end();
      }
      return;
    }
    const payload = checkClose(code, reason);
    this.#readyState = CLOSING;
    const send = () =>
      this._socket.write(
        this.#codec.encodeControl(
          OPCODES.CLOSE,
          payload,
          this.#mask(!this.#isServer),
        ),
        (error) => {
          if (error) {
            return;
          }
          this._closeFrameSent = true;
          if (this._closeFrameReceived || this.#hasFailed) {
            this._socket.end();
          }
        },
      );
    if (this.#queue === null) {
      send();
    } else {
      this.#queue.push({
        data: EMPTY_BUFFER,
        length: 0,
        callback: undefined,
        work: send,
      });
    }
    this.#setCloseTimer();
  }

  #setCloseTimer() {
    this._closeTimer = setTimeout(
      () => this._socket.destroy(),
      this.#options.closeTimeout ?? DEFAULT_CLOSE_TIMEOUT,
    );
  }

  /** Drops the connection. */
  terminate() {
    if (this.#readyState === CLOSED) {
      return;
    }
    if (this.#readyState === CONNECTING) {
      abortHandshake(
        this,
        this._req,
        "WebSocket was closed before the connection was established",
      );
      return;
    }
    if (this._socket !== null) {
      this.#readyState = CLOSING;
      process.nextTick(() => this.#abandonQueue());
      this._socket.destroy();
    }
  }

  pause() {
    if (this.#readyState === OPEN || this.#readyState === CLOSING) {
      this.#isPaused = true;
      this._socket.pause();
    }
  }

  resume() {
    if (this.#readyState === OPEN || this.#readyState === CLOSING) {
      this.#isPaused = false;
      this._socket.resume();
    }
  }

  // The handshake of a client.

  #connect(address, protocols, options) {
    const settings = {
      protocolVersion: 13,
      perMessageDeflate: true,
      followRedirects: false,
      maxRedirects: 10,
      ...options,
    };
    this.#options = settings;
    const { protocolVersion } = settings;
    if (!PROTOCOL_VERSIONS.includes(protocolVersion)) {
      throw new RangeError(
        `Unsupported protocol version: ${protocolVersion} (supported versions: ${
          PROTOCOL_VERSIONS.join(", ")
        })`,
      );
    }
    if (settings.skipUTF8Validation) {
      throw missing("the option `skipUTF8Validation` of ws");
    }
    const url = this.#parseUrl(address);
    const isSecure = url.protocol === "wss:";
    const isUnix = url.protocol === "ws+unix:";
    const key = randomBytes(16).toString("base64");
    const offered = new Set();
    for (const protocol of protocols) {
      if (
        typeof protocol !== "string" || !TOKEN.test(protocol) ||
        offered.has(protocol)
      ) {
        throw new SyntaxError(
          "An invalid or duplicated subprotocol was specified",
        );
      }
      offered.add(protocol);
    }

    const request = {
      // What http and tls know by these names.
      ...settings,
      protocol: undefined,
      createConnection: settings.createConnection ??
        (isSecure ? connectTls : connectTcp),
      defaultPort: isSecure ? 443 : 80,
      port: url.port || (isSecure ? 443 : 80),
      host: url.hostname.startsWith("[")
        ? url.hostname.slice(1, -1)
        : url.hostname,
      hostname: undefined,
      method: "GET",
      path: url.pathname + url.search,
      timeout: settings.handshakeTimeout,
      headers: {
        ...settings.headers,
        "Sec-WebSocket-Version": protocolVersion,
        "Sec-WebSocket-Key": key,
        Connection: "Upgrade",
        Upgrade: "websocket",
      },
    };
    const deflate = deflateOptions(settings.perMessageDeflate);
    if (deflate !== false) {
      request.headers["Sec-WebSocket-Extensions"] = offerDeflate(deflate);
    }
    if (offered.size > 0) {
      request.headers["Sec-WebSocket-Protocol"] = [...offered].join(",");
    }
    if (settings.origin) {
      const name = protocolVersion < 13 ? "Sec-WebSocket-Origin" : "Origin";
      request.headers[name] = settings.origin;
    }
    if (url.username !== "" || url.password !== "") {
      request.auth = `${decodeURIComponent(url.username)}:${
        decodeURIComponent(url.password)
      }`;
    }
    if (isUnix) {
      const [path, target = "/"] = request.path.split(":");
      request.socketPath = path;
      request.path = target;
      request.host = "localhost";
      request.port = 80;
    }
    if (settings.followRedirects) {
      this.#prepareRedirect(request, settings, url, isSecure, isUnix);
    }
    const req = (isSecure ? https : http).request(request);
    this._req = req;
    if (this._redirects > 0) {
      this.emit("redirect", this.#url, req);
    }
    if (request.timeout) {
      req.on(
        "timeout",
        () => abortHandshake(this, req, "Opening handshake has timed out"),
      );
    }
    req.on("error", (error) => {
      if (this._req !== req || req[kAborted]) {
        return;
      }
      this._req = null;
      this.#failToOpen(error);
    });
    req.on("response", (response) => {
      const { location } = response.headers;
      const { statusCode } = response;
      if (
        location && settings.followRedirects && statusCode >= 300 &&
        statusCode < 400
      ) {
        if (++this._redirects > settings.maxRedirects) {
          abortHandshake(this, req, "Maximum redirects exceeded");
          return;
        }
        req[kAborted] = true;
        req.abort();
        let next;
        try {
          next = new URL(location, url);
        } catch {
          this.#failToOpen(new SyntaxError(`Invalid URL: ${location}`));
          return;
        }
        try {
          this.#connect(next, protocols, this.#options);
        } catch (error) {
          this.#failToOpen(error);
        }
      } else if (!this.emit("unexpected-response", req, response)) {
        abortHandshake(this, req, `Unexpected server response: ${statusCode}`);
      }
    });
    req.on("upgrade", (response, socket, head) => {
      this.emit("upgrade", response);
      // A listener may have closed it.
      if (this.#readyState !== CONNECTING) {
        return;
      }
      this._req = null;
      try {
        const { protocol, agreed } = checkAnswer(
          response,
          key,
          offered,
          deflate,
        );
        this.setSocket(socket, head, { protocol, agreed });
      } catch (error) {
        if (!(error instanceof HandshakeError)) {
          throw error;
        }
        abortHandshake(this, socket, error.message);
      }
    });
    if (settings.finishRequest) {
      settings.finishRequest(req, this);
    } else {
      req.end();
    }
  }

  #parseUrl(address) {
    let url;
    if (address instanceof URL) {
      url = new URL(address);
    } else {
      try {
        url = new URL(address);
      } catch {
        throw new SyntaxError(`Invalid URL: ${address}`);
      }
    }
    if (url.protocol === "http:" || url.protocol === "https:") {
      url.protocol = url.protocol === "http:" ? "ws:" : "wss:";
    }
    this.#url = url.href;
    let problem;
    if (!["ws:", "wss:", "ws+unix:"].includes(url.protocol)) {
      problem = 'The URL\'s protocol must be one of "ws:", "wss:", "http:", ' +
        '"https:", or "ws+unix:"';
    } else if (url.protocol === "ws+unix:" && url.pathname === "") {
      problem = "The URL's pathname is empty";
    } else if (url.hash !== "") {
      problem = "The URL contains a fragment identifier";
    }
    if (problem !== undefined) {
      throw new SyntaxError(problem);
    }
    return url;
  }

  /** Credentials stay with the host and the secrecy that they were given for. */
  #prepareRedirect(request, settings, url, isSecure, isUnix) {
    const host = isUnix ? request.socketPath : url.host;
    // Those of the user: the next request has them without those of this.
    if (this.#first === null) {
      this.#first = { isUnix, isSecure, host };
      settings.headers = Object.fromEntries(
        Object.entries(settings.headers ?? {}).map((
          [name, value],
        ) => [name.toLowerCase(), value]),
      );
    } else if (this.listenerCount("redirect") === 0) {
      const isSameHost = this.#first.isUnix === isUnix &&
        this.#first.host === host;
      if (!isSameHost || (this.#first.isSecure && !isSecure)) {
        for (const headers of [settings.headers, request.headers]) {
          delete headers.authorization;
          delete headers.cookie;
          if (!isSameHost) {
            delete headers.host;
          }
        }
        request.auth = undefined;
        settings.auth = undefined;
      }
    }
    if (request.auth && !settings.headers.authorization) {
      settings.headers.authorization = `Basic ${
        Buffer.from(request.auth).toString("base64")
      }`;
    }
    if (settings.headers.authorization) {
      request.headers.authorization = settings.headers.authorization;
      request.auth = undefined;
    }
  }

  #failToOpen(error) {
    this.#readyState = CLOSING;
    this.#isErrorEmitted = true;
    this.emit("error", error);
    this.emitClose();
  }

  /** For abortHandshake. */
  [kAborted](stream, message) {
    this.#readyState = CLOSING;
    const error = new Error(message);
    if (stream instanceof ClientRequest) {
      stream[kAborted] = true;
      stream.abort();
      // It may have become a socket already.
      if (stream.socket && !stream.socket.destroyed) {
        stream.socket.destroy();
      }
      process.nextTick(() => this.#failToOpen(error));
    } else {
      stream.once("error", (it) => this.emit("error", it));
      stream.once("close", () => this.emitClose());
      stream.destroy(error);
    }
  }
}

class HandshakeError extends Error {}

/** Gives up the handshake of a client, at the request or at the socket. */
function abortHandshake(websocket, stream, message) {
  websocket[kAborted](stream, message);
}

/** Checks the server's answer (RFC 6455 section 4.1). */
function checkAnswer(response, key, offered, deflate) {
  const { headers } = response;
  const refuse = (message) => {
    throw new HandshakeError(message);
  };
  if (headers.upgrade?.toLowerCase() !== "websocket") {
    refuse("Invalid Upgrade header");
  }
  if (headers["sec-websocket-accept"] !== acceptKey(key)) {
    refuse("Invalid Sec-WebSocket-Accept header");
  }
  const protocol = headers["sec-websocket-protocol"];
  if (protocol === undefined) {
    if (offered.size > 0) {
      refuse("Server sent no subprotocol");
    }
  } else if (offered.size === 0) {
    refuse("Server sent a subprotocol but none was requested");
  } else if (!offered.has(protocol)) {
    refuse("Server sent an invalid subprotocol");
  }
  const answer = headers["sec-websocket-extensions"];
  let agreed = null;
  if (answer !== undefined) {
    if (deflate === false) {
      refuse(
        "Server sent a Sec-WebSocket-Extensions header but no extension was requested",
      );
    }
    try {
      agreed = checkDeflate(answer, deflate);
    } catch (error) {
      refuse(
        /not requested|not offered/i.test(error.message) ||
          isForeign(answer)
          ? "Server indicated an extension that was not requested"
          : "Invalid Sec-WebSocket-Extensions header",
      );
    }
  }
  return { protocol, agreed };
}

/** Whether a header that is well-formed names another extension. */
function isForeign(header) {
  const names = header.split(",").map((it) => it.split(";")[0].trim());
  return header.split(/[,;]/).every((it) =>
    /^\s*[^\s=",;]+\s*(=\s*("[^"]*"|[^\s=",;]+)\s*)?$/.test(it)
  ) && names.some((name) => name !== "permessage-deflate");
}

/** The option of `ws` as the codec has it: an object, or false. */
function deflateOptions(options) {
  if (!options) {
    return false;
  }
  const {
    serverNoContextTakeover,
    clientNoContextTakeover,
    serverMaxWindowBits,
    clientMaxWindowBits,
    threshold = DEFAULT_THRESHOLD,
    zlibDeflateOptions,
  } = options === true ? {} : options;
  // `true` allows what is the default here. How much memory zlib takes, how large
  // its chunks are and how many of it run at a time has no counterpart.
  const bits = (value) => typeof value === "number" ? value : undefined;
  return {
    serverNoContextTakeover,
    clientNoContextTakeover,
    serverMaxWindowBits: bits(serverMaxWindowBits),
    clientMaxWindowBits: bits(clientMaxWindowBits),
    threshold,
    level: zlibDeflateOptions?.level,
  };
}

function checkClose(code, reason) {
  if (code === undefined) {
    return closePayload();
  }
  if (!isValidCode(code)) {
    throw new TypeError("First argument must be a valid error code number");
  }
  const bytes = reason === undefined || reason === null
    ? EMPTY_BUFFER
    : bytesOf(reason);
  if (bytes.length > 123) {
    throw new RangeError("The message must not be greater than 123 bytes");
  }
  return closePayload(code, bytes);
}

function isValidCode(code) {
  return typeof code === "number" &&
    ((code >= 1000 && code <= 1014 && ![1004, 1005, 1006].includes(code)) ||
      (code >= 3000 && code <= 4999));
}

function notOpen(state) {
  return new Error(
    `WebSocket is not open: readyState ${state} (${STATES[state]})`,
  );
}

function toBuffer(data) {
  return data.byteLength === 0 ? EMPTY_BUFFER : Buffer.from(data);
}

/** The bytes of what may be sent. */
function bytesOf(data) {
  if (!data) {
    return EMPTY_BUFFER;
  }
  if (ArrayBuffer.isView(data)) {
    return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  }
  if (data instanceof ArrayBuffer) {
    return new Uint8Array(data);
  }
  return Buffer.from(data);
}

function sizeOf(data) {
  return typeof Blob !== "undefined" && data instanceof Blob
    ? data.size
    : bytesOf(data).length;
}

function connectTcp(options) {
  // The path is that of the request.
  options.path = options.socketPath;
  return net.connect(options);
}

function connectTls(options) {
  options.path = undefined;
  if (!options.servername && options.servername !== "") {
    options.servername = net.isIP(options.host) ? "" : options.host;
  }
  return tls.connect(options);
}

for (const [value, name] of STATES.entries()) {
  Object.defineProperty(WebSocket, name, { enumerable: true, value });
  Object.defineProperty(WebSocket.prototype, name, { enumerable: true, value });
}
for (
  const name of [
    "binaryType",
    "bufferedAmount",
    "extensions",
    "isPaused",
    "protocol",
    "readyState",
    "url",
  ]
) {
  Object.defineProperty(WebSocket.prototype, name, { enumerable: true });
}
Object.assign(WebSocket.prototype, EventTarget);
defineAttributes(WebSocket.prototype);

export { deflateOptions, kWebSocket, WebSocket };
export default WebSocket;
