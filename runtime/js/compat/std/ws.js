// deno.land/std/ws: a WebSocket on a connection of the script, which is read by
// iteration.

import { Buffer } from "node:buffer";
import { core } from "ext:core/mod.js";
import { BufReader, BufWriter } from "node:deno_std/bufio";

const { HttpParser } = core.loadExtScript(
  "ext:duplex_runtime/std/http_parser.js",
);
const { acceptKey, closePayload, Codec, OPCODES } = core.loadExtScript(
  "ext:duplex_runtime/std/websocket_codec.js",
);

const READ_SIZE = 16 * 1024;
/** How long the peer may take to answer a Close frame, in ms. */
const CLOSE_TIMEOUT = 10_000;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

const OpCode = {
  Continue: 0,
  TextFrame: 1,
  BinaryFrame: 2,
  Close: 8,
  Ping: 9,
  Pong: 10,
};

function isWebSocketCloseEvent(event) {
  return typeof event === "object" && event !== null &&
    Object.hasOwn(event, "code");
}

function isWebSocketPingEvent(event) {
  return Array.isArray(event) && event[0] === "ping" &&
    event[1] instanceof Uint8Array;
}

function isWebSocketPongEvent(event) {
  return Array.isArray(event) && event[0] === "pong" &&
    event[1] instanceof Uint8Array;
}

function toBytes(data) {
  return typeof data === "string" ? encoder.encode(data) : data;
}

class WebSocket {
  #bufReader;
  #bufWriter;
  #codec;
  #isClosed = false;
  #isReading = false;
  #isGone = false;
  // Resolves when all frames so far are written. Frames are written one after
  // the other.
  #written = Promise.resolve();
  conn;

  constructor({ conn, bufReader, bufWriter, isServer }) {
    this.conn = conn;
    this.#bufReader = bufReader;
    this.#bufWriter = bufWriter;
    this.#codec = new Codec({ isServer });
  }

  /** Whether a Close frame was sent or received, or the connection is lost. */
  get isClosed() {
    return this.#isClosed;
  }

  /**
   * Yields text messages as strings, binary messages as Uint8Arrays, `["ping",
   * bytes]`, `["pong", bytes]`, and `{ code, reason }` at the end. If the
   * connection is lost, the iteration ends without the last item.
   */
  async *[Symbol.asyncIterator]() {
    const buffer = new Uint8Array(READ_SIZE);
    this.#isReading = true;
    try {
      while (!this.#isGone) {
        let count;
        try {
          count = await this.#bufReader.read(buffer);
        } catch (error) {
          if (this.#isGone || error instanceof Deno.errors.ConnectionReset) {
            break;
          }
          throw error;
        }
        if (count === null) {
          break;
        }
        for (const event of this.#codec.decode(buffer.subarray(0, count))) {
          const { opcode, data, code, message } = event;
          switch (opcode) {
            case OPCODES.TEXT:
              yield decoder.decode(data);
              break;
            case OPCODES.BINARY:
              yield new Uint8Array(data);
              break;
            case OPCODES.PING:
              if (!this.#isClosed) {
                await this.#write(
                  this.#codec.encode(OPCODES.PONG, data),
                ).catch(() => {});
              }
              yield ["ping", new Uint8Array(data)];
              break;
            case OPCODES.PONG:
              yield ["pong", new Uint8Array(data)];
              break;
            case OPCODES.CLOSE: {
              const reason = decoder.decode(data);
              if (!this.#isClosed) {
                await this.#sendClose(
                  code === 1005 ? closePayload() : closePayload(
                    code,
                    new Uint8Array(data),
                  ),
                ).catch(() => {});
              }
              this.#drop();
              yield reason === "" ? { code } : { code, reason };
              return;
            }
            default:
              if (!this.#isClosed) {
                await this.#sendClose(closePayload(code)).catch(() => {});
              }
              throw new Error(message);
          }
        }
      }
    } finally {
      this.#isReading = false;
      this.#drop();
    }
  }

  /** Resolves when the message is written. */
  send(data) {
    this.#checkOpen();
    const opcode = typeof data === "string" ? OPCODES.TEXT : OPCODES.BINARY;
    return this.#write(this.#codec.encode(opcode, toBytes(data)));
  }

  ping(data = "") {
    this.#checkOpen();
    return this.#write(this.#codec.encode(OPCODES.PING, toBytes(data)));
  }

  /**
   * Sends a Close frame. The connection is closed when the peer has answered
   * it.
   */
  async close(code = 1000, reason = "") {
    this.#checkOpen();
    await this.#sendClose(closePayload(code, encoder.encode(reason)));
    if (!this.#isReading) {
      this.#awaitAnswer();
    }
    const timer = setTimeout(() => this.#drop(), CLOSE_TIMEOUT);
    Deno.unrefTimer(timer);
  }

  closeForce() {
    this.#drop();
  }

  #checkOpen() {
    if (this.#isClosed) {
      throw new Deno.errors.ConnectionReset("Socket has already been closed");
    }
  }

  #sendClose(payload) {
    this.#isClosed = true;
    return this.#write(this.#codec.encode(OPCODES.CLOSE, payload));
  }

  #write(frame) {
    const written = this.#written.then(async () => {
      await this.#bufWriter.write(frame);
      await this.#bufWriter.flush();
    });
    this.#written = written.catch(() => {
      this.#drop();
    });
    return written;
  }

  async #awaitAnswer() {
    for await (const event of this) {
      void event;
    }
  }

  #drop() {
    this.#isClosed = true;
    if (!this.#isGone) {
      this.#isGone = true;
      try {
        this.conn.close();
      } catch {
        // The connection is closed already.
      }
    }
  }
}

/** Whether a request asks for a WebSocket. */
function acceptable({ headers }) {
  const key = headers.get("sec-websocket-key");
  return headers.get("upgrade")?.toLowerCase() === "websocket" &&
    key !== null && key.length > 0;
}

/** Answers the handshake of a request. */
async function acceptWebSocket({ conn, headers, bufReader, bufWriter }) {
  if (!acceptable({ headers })) {
    throw new Error("request is not acceptable");
  }
  const socket = new WebSocket({
    conn,
    bufReader: bufReader ?? new BufReader(conn),
    bufWriter: bufWriter ?? new BufWriter(conn),
    isServer: true,
  });
  const writer = bufWriter ?? new BufWriter(conn);
  await writer.write(encoder.encode(
    "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n" +
      `sec-websocket-accept: ${
        createSecAccept(headers.get("sec-websocket-key"))
      }\r\n\r\n`,
  ));
  await writer.flush();
  return socket;
}

function createSecAccept(key) {
  return acceptKey(key);
}

function createSecKey() {
  return btoa(
    String.fromCharCode(...crypto.getRandomValues(new Uint8Array(16))),
  );
}

/** Opens a WebSocket to a server. */
async function connectWebSocket(endpoint, headers = new Headers()) {
  const url = new URL(endpoint);
  const isSecure = url.protocol === "wss:" || url.protocol === "https:";
  if (!["ws:", "wss:", "http:", "https:"].includes(url.protocol)) {
    throw new Error(`ws: unsupported protocol: ${url.protocol}`);
  }
  const options = {
    hostname: url.hostname.replace(/^\[(.*)\]$/, "$1"),
    port: Number(url.port || (isSecure ? 443 : 80)),
  };
  const conn = isSecure
    ? await Deno.connectTls(options)
    : await Deno.connect(options);
  try {
    const bufReader = new BufReader(conn, READ_SIZE);
    const bufWriter = new BufWriter(conn);
    await handshake(url, headers, bufReader, bufWriter);
    return new WebSocket({ conn, bufReader, bufWriter, isServer: false });
  } catch (error) {
    conn.close();
    throw error;
  }
}

async function handshake(url, headers, bufReader, bufWriter) {
  const key = createSecKey();
  const all = new Headers(headers);
  if (!all.has("host")) {
    all.set("host", url.host);
  }
  all.set("upgrade", "websocket");
  all.set("connection", "upgrade");
  all.set("sec-websocket-key", key);
  all.set("sec-websocket-version", "13");
  let request = `GET ${url.pathname}${url.search} HTTP/1.1\r\n`;
  for (const [name, value] of all) {
    request += `${name}: ${value}\r\n`;
  }
  await bufWriter.write(encoder.encode(`${request}\r\n`));
  await bufWriter.flush();

  let head;
  const parser = new HttpParser("response", {
    onHead(it) {
      head = it;
      return { isUpgrade: true };
    },
  });
  const buffer = new Uint8Array(READ_SIZE);
  while (head === undefined) {
    const count = await bufReader.read(buffer);
    if (count === null) {
      throw new Deno.errors.UnexpectedEof();
    }
    parser.feed(Buffer.from(buffer.slice(0, count)));
  }
  bufReader.unread(parser.takeRest());
  if (head.statusCode !== 101) {
    throw new Error(
      `ws: server didn't accept handshake: ${head.statusCode} ${head.statusMessage}`,
    );
  }
  const answer = new Headers();
  for (let i = 0; i < head.rawHeaders.length; i += 2) {
    answer.append(head.rawHeaders[i], head.rawHeaders[i + 1]);
  }
  if (answer.get("sec-websocket-accept") !== acceptKey(key)) {
    throw new Error("ws: unexpected sec-websocket-accept header");
  }
}

export {
  acceptable,
  acceptWebSocket,
  connectWebSocket,
  createSecAccept,
  createSecKey,
  isWebSocketCloseEvent,
  isWebSocketPingEvent,
  isWebSocketPongEvent,
  OpCode,
  WebSocket,
};
