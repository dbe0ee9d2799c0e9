// The WebSocketServer of `ws`.

import { Buffer } from "node:buffer";
import EventEmitter from "node:events";
import http from "node:http";
import { missing } from "node:internal/errors";
import { acceptDeflate, acceptKey } from "node:internal/websocket_codec";
import { parse as parseSubprotocols } from "node:internal/ws/subprotocol";
import {
  deflateOptions,
  kWebSocket,
  WebSocket,
} from "node:internal/ws/websocket";
import process from "node:process";

const RUNNING = 0;
const CLOSING = 1;
const CLOSED = 2;

/** 16 bytes in base64. */
const KEY = /^[+/0-9A-Za-z]{22}==$/;

class WebSocketServer extends EventEmitter {
  #removeListeners = null;
  #emitsClose = false;
  _server = null;
  _state = RUNNING;

  /**
   * @param {object} options one of `port`, `server` and `noServer`, and the others of
   *   `ws`
   * @param {() => void=} callback when it listens on `port`
   */
  constructor(options, callback) {
    super();
    options = {
      allowSynchronousEvents: true,
      autoPong: true,
      maxPayload: 100 * 1024 * 1024,
      skipUTF8Validation: false,
      perMessageDeflate: false,
      handleProtocols: null,
      clientTracking: true,
      verifyClient: null,
      noServer: false,
      backlog: null,
      server: null,
      host: null,
      path: null,
      port: null,
      WebSocket,
      ...options,
    };
    const ways = [options.port != null, !!options.server, !!options.noServer];
    if (ways.filter((it) => it).length !== 1) {
      throw new TypeError(
        'One and only one of the "port", "server", or "noServer" options must be specified',
      );
    }
    if (options.skipUTF8Validation) {
      throw missing("the option `skipUTF8Validation` of ws");
    }
    if (options.port != null) {
      this._server = http.createServer((_request, response) => {
        const body = http.STATUS_CODES[426];
        response.writeHead(426, {
          "Content-Length": body.length,
          "Content-Type": "text/plain",
        });
        response.end(body);
      });
      this._server.listen(
        { port: options.port, host: options.host, backlog: options.backlog },
        callback,
      );
    } else if (options.server) {
      this._server = options.server;
    }
    if (this._server !== null) {
      const onConnection = (socket, request) =>
        this.emit("connection", socket, request);
      this.#removeListeners = addListeners(this._server, {
        listening: () => this.emit("listening"),
        error: (error) => this.emit("error", error),
        upgrade: (request, socket, head) =>
          this.handleUpgrade(request, socket, head, onConnection),
      });
    }
    if (options.clientTracking) {
      this.clients = new Set();
    }
    this.options = options;
  }

  /** As `address()` of the server under it. */
  address() {
    if (this.options.noServer) {
      throw new Error('The server is operating in "noServer" mode');
    }
    return this._server?.address() ?? null;
  }

  /**
   * Accepts no more. Its sockets stay; 'close' comes when they have gone, and with it
   * the call of `callback`.
   */
  close(callback) {
    if (this._state === CLOSED) {
      if (callback !== undefined) {
        this.once(
          "close",
          () => callback(new Error("The server is not running")),
        );
      }
      process.nextTick(() => this.#emitClose());
      return;
    }
    if (callback !== undefined) {
      this.once("close", callback);
    }
    if (this._state === CLOSING) {
      return;
    }
    this._state = CLOSING;
    if (this.options.noServer || this.options.server) {
      this.#removeListeners?.();
      this.#removeListeners = null;
      this._server = null;
      if (this.clients === undefined || this.clients.size === 0) {
        process.nextTick(() => this.#emitClose());
      } else {
        this.#emitsClose = true;
      }
      return;
    }
    const server = this._server;
    this.#removeListeners();
    this.#removeListeners = null;
    this._server = null;
    server.close(() => this.#emitClose());
  }

  #emitClose() {
    this._state = CLOSED;
    this.emit("close");
  }

  /** Whether the request is for this server: by the option `path`. */
  shouldHandle(request) {
    if (!this.options.path) {
      return true;
    }
    const query = request.url.indexOf("?");
    const path = query < 0 ? request.url : request.url.slice(0, query);
    return path === this.options.path;
  }

  /**
   * Answers an opening handshake.
   *
   * @param {(websocket: WebSocket, request) => void} callback when it is open
   */
  handleUpgrade(request, socket, head, callback) {
    socket.on("error", onSocketError);
    const refuse = (status, message, headers) => {
      if (this.listenerCount("wsClientError") > 0) {
        const error = new Error(message);
        this.emit("wsClientError", error, socket, request);
      } else {
        answer(socket, status, message, headers);
      }
    };
    const { headers } = request;
    const key = headers["sec-websocket-key"];
    const version = Number(headers["sec-websocket-version"]);
    if (request.method !== "GET") {
      return refuse(405, "Invalid HTTP method");
    }
    if (headers.upgrade?.toLowerCase() !== "websocket") {
      return refuse(400, "Invalid Upgrade header");
    }
    if (key === undefined || !KEY.test(key)) {
      return refuse(400, "Missing or invalid Sec-WebSocket-Key header");
    }
    if (version !== 13 && version !== 8) {
      return refuse(400, "Missing or invalid Sec-WebSocket-Version header", {
        "Sec-WebSocket-Version": "13, 8",
      });
    }
    if (!this.shouldHandle(request)) {
      return answer(socket, 400);
    }
    let protocols = new Set();
    const offeredProtocols = headers["sec-websocket-protocol"];
    if (offeredProtocols !== undefined) {
      try {
        protocols = parseSubprotocols(offeredProtocols);
      } catch {
        return refuse(400, "Invalid Sec-WebSocket-Protocol header");
      }
    }
    let agreed = null;
    const offers = headers["sec-websocket-extensions"];
    const deflate = deflateOptions(this.options.perMessageDeflate);
    if (deflate !== false && offers !== undefined) {
      try {
        checkOffers(offers);
        agreed = acceptDeflate(offers, deflate);
      } catch {
        return refuse(
          400,
          "Invalid or unacceptable Sec-WebSocket-Extensions header",
        );
      }
    }
    const complete = () =>
      this.#complete(key, agreed, protocols, request, socket, head, callback);
    const { verifyClient } = this.options;
    if (!verifyClient) {
      complete();
      return;
    }
    const info = {
      origin: headers[`${version === 8 ? "sec-websocket-origin" : "origin"}`],
      secure: !!(request.socket.authorized || request.socket.encrypted),
      req: request,
    };
    if (verifyClient.length === 2) {
      verifyClient(info, (isVerified, code, message, extra) => {
        if (isVerified) {
          complete();
        } else {
          answer(socket, code || 401, message, extra);
        }
      });
    } else if (verifyClient(info)) {
      complete();
    } else {
      answer(socket, 401);
    }
  }

  #complete(key, agreed, protocols, request, socket, head, callback) {
    // It may have gone while the client was verified.
    if (!socket.readable || !socket.writable) {
      socket.destroy();
      return;
    }
    if (socket[kWebSocket]) {
      throw new Error(
        "server.handleUpgrade() was called more than once with the same socket, possibly due to a misconfiguration",
      );
    }
    if (this._state > RUNNING) {
      answer(socket, 503);
      return;
    }
    const lines = [
      "HTTP/1.1 101 Switching Protocols",
      "Upgrade: websocket",
      "Connection: Upgrade",
      `Sec-WebSocket-Accept: ${acceptKey(key)}`,
    ];
    const websocket = new this.options.WebSocket(null, undefined, this.options);
    let protocol;
    if (protocols.size > 0) {
      protocol = this.options.handleProtocols
        ? this.options.handleProtocols(protocols, request)
        : protocols.values().next().value;
      if (protocol) {
        lines.push(`Sec-WebSocket-Protocol: ${protocol}`);
      }
    }
    if (agreed !== null) {
      lines.push(`Sec-WebSocket-Extensions: ${agreed}`);
    }
    this.emit("headers", lines, request);
    socket.write(`${lines.join("\r\n")}\r\n\r\n`);
    socket.removeListener("error", onSocketError);
    websocket.setSocket(socket, head, {
      agreed,
      protocol: protocol || "",
    });
    if (this.clients !== undefined) {
      this.clients.add(websocket);
      websocket.on("close", () => {
        this.clients.delete(websocket);
        if (this.#emitsClose && this.clients.size === 0) {
          process.nextTick(() => this.#emitClose());
        }
      });
    }
    callback(websocket, request);
  }
}

/** Adds listeners and returns the function that removes them. */
function addListeners(server, listeners) {
  for (const [name, listener] of Object.entries(listeners)) {
    server.on(name, listener);
  }
  return () => {
    for (const [name, listener] of Object.entries(listeners)) {
      server.removeListener(name, listener);
    }
  };
}

function onSocketError() {
  this.destroy();
}

/** Refuses an offer of permessage-deflate whose windows are none (RFC 7692 7.1.2). */
function checkOffers(offers) {
  for (
    const [, value] of offers.matchAll(/_max_window_bits\s*=\s*"?([^",;]*)/g)
  ) {
    if (!/^(?:8|9|1[0-5])\s*$/.test(value)) {
      throw new TypeError(`Invalid value for a window: ${value}`);
    }
  }
}

/** Answers without HTTP's own server, and closes. */
function answer(socket, status, message, headers) {
  const body = Buffer.from(message || http.STATUS_CODES[status]);
  const all = {
    Connection: "close",
    "Content-Type": "text/html",
    "Content-Length": body.length,
    ...headers,
  };
  socket.once("finish", () => socket.destroy());
  const lines = [
    `HTTP/1.1 ${status} ${http.STATUS_CODES[status]}`,
    ...Object.entries(all).map(([name, value]) => `${name}: ${value}`),
  ];
  socket.end(`${lines.join("\r\n")}\r\n\r\n${body}`);
}

export { WebSocketServer };
export default WebSocketServer;
