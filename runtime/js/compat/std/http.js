// deno.land/std/http/server.ts, in all its versions: `serve(addr)`, which
// returns an iteration over requests, and `serve(handler, options)`.

import { Buffer } from "node:buffer";
import { STATUS_CODES } from "node:http";
import { core } from "ext:core/mod.js";
import { deferred } from "node:deno_std/async";
import { BufReader, BufWriter } from "node:deno_std/bufio";

const { HttpParser } = core.loadExtScript(
  "ext:duplex_runtime/std/http_parser.js",
);

const READ_SIZE = 16 * 1024;
const encoder = new TextEncoder();

/** A request, and a method to respond to it. */
class ServerRequest {
  /** The path and the query. */
  url;
  method;
  proto;
  protoMinor;
  protoMajor = 1;
  headers = new Headers();
  conn;
  r;
  w;
  /** A reader of the body. */
  body;
  /**
   * Resolves when the response is written, or with an error if it could not be
   * written.
   */
  done = deferred();
  #keepAlive;

  constructor(head, { conn, r, w, body }) {
    this.method = head.method;
    this.url = head.url;
    this.protoMinor = head.versionMinor;
    this.proto = `HTTP/1.${head.versionMinor}`;
    for (let i = 0; i < head.rawHeaders.length; i += 2) {
      this.headers.append(head.rawHeaders[i], head.rawHeaders[i + 1]);
    }
    this.conn = conn;
    this.r = r;
    this.w = w;
    this.body = body;
    this.#keepAlive = head.shouldKeepAlive;
  }

  get contentLength() {
    const length = this.headers.get("content-length");
    return length === null ? null : Number(length);
  }

  get keepAlive() {
    return this.#keepAlive;
  }

  /**
   * @param {{ status?: number, statusText?: string, headers?: Headers,
   *   body?: string | Uint8Array | Deno.Reader }} response
   */
  async respond(response) {
    let failure;
    try {
      this.#keepAlive &&= await writeResponse(this, response);
    } catch (error) {
      failure = error;
      try {
        this.conn.close();
      } catch {
        // The connection is closed already.
      }
    }
    this.done.resolve(failure);
    if (failure !== undefined) {
      throw failure;
    }
  }

  /** Reads the rest of the body. */
  async finalize() {
    const buffer = new Uint8Array(READ_SIZE);
    while (await this.body.read(buffer) !== null) {
      // The rest of the body is dropped.
    }
  }
}

/** Writes a response. Returns whether another response may follow. */
async function writeResponse(request, response) {
  const { status = 200, statusText, body } = response;
  const headers = new Headers(response.headers);
  const bytes = typeof body === "string"
    ? encoder.encode(body)
    : body === undefined || body === null
    ? new Uint8Array()
    : body instanceof Uint8Array
    ? body
    : undefined;
  const mayHaveBody = request.method !== "HEAD" && status >= 200 &&
    status !== 204 && status !== 304;
  let isChunked = false;
  if (bytes !== undefined) {
    if (mayHaveBody && !headers.has("content-length")) {
      headers.set("content-length", `${bytes.length}`);
    }
  } else if (mayHaveBody && !headers.has("content-length")) {
    headers.set("transfer-encoding", "chunked");
    isChunked = true;
  }
  let head = `HTTP/1.1 ${status} ${
    statusText ?? STATUS_CODES[status] ?? ""
  }\r\n`;
  for (const [name, value] of headers) {
    head += `${name}: ${value}\r\n`;
  }
  const { w } = request;
  await w.write(encoder.encode(`${head}\r\n`));
  if (mayHaveBody && bytes !== undefined) {
    await w.write(bytes);
  } else if (mayHaveBody) {
    const buffer = new Uint8Array(READ_SIZE);
    let count;
    while ((count = await body.read(buffer)) !== null) {
      if (count > 0 && isChunked) {
        await w.write(encoder.encode(`${count.toString(16)}\r\n`));
      }
      await w.write(buffer.subarray(0, count));
      if (count > 0 && isChunked) {
        await w.write(encoder.encode("\r\n"));
      }
    }
    if (isChunked) {
      await w.write(encoder.encode("0\r\n\r\n"));
    }
  }
  await w.flush();
  return headers.get("connection")?.toLowerCase() !== "close";
}

/** Reads requests from one connection, one after the other. */
class Requests {
  #conn;
  #r;
  #w;

  constructor(conn) {
    this.#conn = conn;
    this.#r = new BufReader(conn, READ_SIZE);
    this.#w = new BufWriter(conn);
  }

  /**
   * Reads the next request, or returns undefined at the end. Throws if the
   * bytes are not a request.
   */
  async next() {
    let head;
    const chunks = [];
    let isComplete = false;
    const parser = new HttpParser("request", {
      onHead(it) {
        head = it;
        return { isUpgrade: it.isUpgrade };
      },
      onBody: (chunk) => chunks.push(chunk),
      onComplete: () => isComplete = true,
    });
    const buffer = new Uint8Array(READ_SIZE);
    const feed = async () => {
      const count = await this.#r.read(buffer);
      if (count === null) {
        parser.end();
        return false;
      }
      parser.feed(Buffer.from(buffer.slice(0, count)));
      if (isComplete || head?.isUpgrade) {
        this.#r.unread(parser.takeRest());
      }
      return true;
    };
    while (head === undefined) {
      if (!await feed()) {
        return undefined;
      }
    }
    const body = {
      async read(p) {
        while (chunks.length === 0) {
          if (isComplete || head.isUpgrade) {
            return null;
          }
          if (!await feed()) {
            throw new Deno.errors.UnexpectedEof();
          }
        }
        const count = Math.min(p.length, chunks[0].length);
        p.set(chunks[0].subarray(0, count));
        if (count === chunks[0].length) {
          chunks.shift();
        } else {
          chunks[0] = chunks[0].subarray(count);
        }
        return count;
      },
    };
    return new ServerRequest(head, {
      conn: this.#conn,
      r: this.#r,
      w: this.#w,
      body,
    });
  }

  async refuse() {
    await this.#w.write(
      encoder.encode(
        "HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
      ),
    );
    await this.#w.flush();
  }
}

class Server {
  #conns = new Set();
  #ready = [];
  #waiting = [];
  #isClosed = false;

  constructor(listener) {
    this.listener = listener;
    this.#accept();
  }

  async #accept() {
    while (!this.#isClosed) {
      let conn;
      try {
        conn = await this.listener.accept();
      } catch (error) {
        if (
          this.#isClosed || error instanceof Deno.errors.BadResource ||
          error instanceof Deno.errors.Interrupted
        ) {
          break;
        }
        // A connection broke before it was accepted, or there is no file
        // descriptor for another one.
        await new Promise((resolve) => setTimeout(resolve, 10));
        continue;
      }
      this.#conns.add(conn);
      this.#serve(conn).finally(() => this.#conns.delete(conn));
    }
    this.#isClosed = true;
    this.#settle();
  }

  async #serve(conn) {
    const requests = new Requests(conn);
    try {
      while (!this.#isClosed) {
        const request = await requests.next();
        if (request === undefined) {
          break;
        }
        this.#ready.push(request);
        this.#settle();
        // If the request became a WebSocket, `done` never resolves, and the
        // WebSocket owns the connection from then on.
        if (await request.done !== undefined || !request.keepAlive) {
          break;
        }
        await request.finalize();
      }
    } catch (error) {
      if (error?.code?.startsWith("HPE_")) {
        await requests.refuse().catch(() => {});
      }
    }
    try {
      conn.close();
    } catch {
      // The connection is closed already.
    }
  }

  #settle() {
    while (this.#waiting.length > 0) {
      if (this.#ready.length > 0) {
        this.#waiting.shift()({ value: this.#ready.shift(), done: false });
      } else if (this.#isClosed) {
        this.#waiting.shift()({ value: undefined, done: true });
      } else {
        return;
      }
    }
  }

  /** Stops listening and closes the connections. */
  close() {
    if (this.#isClosed) {
      return;
    }
    this.#isClosed = true;
    this.listener.close();
    for (const conn of this.#conns) {
      try {
        conn.close();
      } catch {
        // The connection is closed already.
      }
    }
    this.#settle();
  }

  next() {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.#settle();
    });
  }

  [Symbol.asyncIterator]() {
    return { next: () => this.next() };
  }
}

/**
 * Parses an address: `":8080"`, `"localhost:8080"`, `"[::1]:8080"` or an
 * object.
 */
function parseAddress(address) {
  if (typeof address !== "string") {
    return address;
  }
  const match = /^(\[[^\]]*\]|[^:]*):(\d+)$/.exec(address);
  if (match === null) {
    throw new TypeError(`Invalid address: "${address}"`);
  }
  const hostname = match[1].replace(/^\[(.*)\]$/, "$1");
  return { hostname: hostname === "" ? "0.0.0.0" : hostname, port: +match[2] };
}

/**
 * @param {string | object | Function} first an address, or the handler of later
 *   versions: `serve(handler, { port, hostname, onError, onListen, signal })`
 */
function serve(first, options) {
  if (typeof first === "function") {
    return serveHandler(first, options);
  }
  return new Server(Deno.listen(parseAddress(first)));
}

function serveHandler(handler, options = {}) {
  const server = Deno.serve(
    { port: 8000, ...options },
    (request, info) => handler(request, info),
  );
  return server.finished;
}

function serveTLS({ certFile, keyFile, ...options }) {
  return new Server(Deno.listenTls({
    ...options,
    cert: Deno.readTextFileSync(certFile),
    key: Deno.readTextFileSync(keyFile),
  }));
}

async function handleAll(server, handler) {
  for await (const request of server) {
    Promise.resolve(handler(request)).catch(async (error) => {
      console.error(error);
      await request.respond({ status: 500 }).catch(() => {});
    });
  }
}

function listenAndServe(address, handler) {
  return handleAll(serve(address), handler);
}

function listenAndServeTLS(options, handler) {
  return handleAll(serveTLS(options), handler);
}

export {
  listenAndServe,
  listenAndServeTLS,
  serve,
  Server,
  ServerRequest,
  serveTLS,
};
