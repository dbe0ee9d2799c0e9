// Parses HTTP/1.1 messages (RFC 9112).

import { core } from "ext:core/mod.js";

const { Buffer } = core.loadExtScript("ext:deno_node/internal/buffer.mjs");

/** The greatest size of a head in bytes. A larger head is answered with 431. */
const MAX_HEADER_SIZE = 16 * 1024;
/** The greatest length of the line before a chunk, in bytes. */
const MAX_CHUNK_LINE = 1024;

const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
// deno-lint-ignore no-control-regex
const INVALID_VALUE = /[\x00-\x08\x0a-\x1f\x7f]/;

const HEAD = 0;
const FIXED = 1;
const CHUNK_LINE = 2;
const CHUNK = 3;
const CHUNK_END = 4;
const TRAILERS = 5;
const UNTIL_END = 6;
const STOPPED = 7;

function parseError(code, message, rawPacket) {
  const error = new Error(`Parse Error: ${message}`);
  error.code = code;
  error.reason = message;
  error.rawPacket = rawPacket;
  return error;
}

/**
 * Reads the messages of one direction of a connection, one at a time. After
 * each message it stops until `next()` is called.
 */
class HttpParser {
  #kind;
  #handlers;
  #maxHeaderSize;
  #rest = Buffer.alloc(0);
  #state = HEAD;
  #left = 0;
  // How much of an incomplete head was searched for its end.
  #searched = 0;
  #isRunning = false;

  /**
   * @param {"request" | "response"} kind
   * @param {{
   *   onHead(head): { hasBody?: boolean, isUpgrade?: boolean } | undefined,
   *   onBody(chunk: Buffer): void,
   *   onComplete(): void,
   * }} handlers `onHead` may say that no body follows, or that the bytes after
   *   the head are not HTTP
   */
  constructor(kind, handlers, maxHeaderSize = MAX_HEADER_SIZE) {
    this.#kind = kind;
    this.#handlers = handlers;
    this.#maxHeaderSize = maxHeaderSize;
  }

  /** Whether a message has begun and has not ended. */
  get isBusy() {
    return this.#state !== HEAD && this.#state !== STOPPED ||
      this.#state === HEAD && this.#rest.length > 0;
  }

  /** Parses more bytes. Throws if they are malformed. */
  feed(chunk) {
    this.#rest = this.#rest.length === 0
      ? chunk
      : Buffer.concat([this.#rest, chunk]);
    this.#run();
  }

  /** Goes on to the next message. */
  next() {
    if (this.#state === STOPPED) {
      this.#state = HEAD;
    }
    this.#run();
  }

  /** Returns the bytes that were not parsed. */
  takeRest() {
    const rest = this.#rest;
    this.#rest = Buffer.alloc(0);
    return rest;
  }

  /**
   * To be called when the peer has ended its side. Throws if a message is
   * incomplete then.
   */
  end() {
    if (this.#state === UNTIL_END) {
      this.#complete();
    } else if (this.isBusy) {
      throw parseError("HPE_INVALID_EOF_STATE", "Invalid EOF state");
    }
  }

  #run() {
    // A handler may have called next(), which calls this.
    if (this.#isRunning) {
      return;
    }
    this.#isRunning = true;
    try {
      while (this.#step()) {
        // Steps follow each other while there is something to do.
      }
    } finally {
      this.#isRunning = false;
    }
  }

  #step() {
    switch (this.#state) {
      case HEAD:
        return this.#readHead();
      case FIXED:
      case CHUNK: {
        if (this.#rest.length === 0) {
          return false;
        }
        const part = this.#take(Math.min(this.#left, this.#rest.length));
        this.#left -= part.length;
        const isLast = this.#left === 0;
        if (isLast && this.#state === CHUNK) {
          this.#state = CHUNK_END;
        }
        this.#handlers.onBody(part);
        if (isLast && this.#state === FIXED) {
          this.#complete();
        }
        return true;
      }
      case CHUNK_LINE:
        return this.#readChunkLine();
      case CHUNK_END:
        if (this.#rest.length < 2) {
          return false;
        }
        if (this.#take(2).toString("latin1") !== "\r\n") {
          throw parseError("HPE_STRICT", "Expected LF after chunk data");
        }
        this.#state = CHUNK_LINE;
        return true;
      case TRAILERS:
        return this.#readTrailers();
      case UNTIL_END:
        if (this.#rest.length > 0) {
          this.#handlers.onBody(this.takeRest());
        }
        return false;
      default:
        return false;
    }
  }

  #take(count) {
    const part = this.#rest.subarray(0, count);
    this.#rest = this.#rest.subarray(count);
    return part;
  }

  #complete() {
    this.#state = STOPPED;
    this.#handlers.onComplete();
  }

  #readHead() {
    let start = 0;
    // Empty lines before a request are skipped (section 2.2).
    while (
      this.#kind === "request" && this.#rest[start] === 13 &&
      this.#rest[start + 1] === 10
    ) {
      start += 2;
    }
    this.#rest = this.#rest.subarray(start);
    if (this.#rest.length === 0) {
      return false;
    }
    this.#checkStart();
    const end = this.#rest.indexOf("\r\n\r\n", this.#searched);
    this.#searched = end < 0 ? Math.max(this.#rest.length - 3, 0) : 0;
    if ((end < 0 ? this.#rest.length : end + 4) > this.#maxHeaderSize) {
      throw parseError("HPE_HEADER_OVERFLOW", "Header overflow", this.#rest);
    }
    if (end < 0) {
      return false;
    }
    const raw = this.#take(end + 4);
    const head = this.#parseHead(raw.toString("latin1", 0, end));
    const framing = this.#framing(head);
    const { hasBody = true, isUpgrade = false } = this.#handlers.onHead(head) ??
      {};
    if (isUpgrade) {
      this.#state = STOPPED;
    } else if (!hasBody || framing.length === 0) {
      this.#complete();
    } else if (framing.isChunked) {
      this.#state = CHUNK_LINE;
    } else if (framing.length !== undefined) {
      this.#state = FIXED;
      this.#left = framing.length;
    } else if (this.#kind === "response") {
      this.#state = UNTIL_END;
    } else {
      this.#complete();
    }
    return true;
  }

  /** Fails early if the bytes cannot become a message. */
  #checkStart() {
    if (this.#kind === "response") {
      const start = this.#rest.toString("latin1", 0, 5);
      if (start !== "HTTP/".slice(0, start.length)) {
        throw parseError("HPE_INVALID_CONSTANT", "Expected HTTP/", this.#rest);
      }
    } else if (!/^[A-Z]/.test(this.#rest.toString("latin1", 0, 1))) {
      throw parseError(
        "HPE_INVALID_METHOD",
        "Invalid method encountered",
        this.#rest,
      );
    }
  }

  #parseHead(text) {
    const lines = text.split("\r\n");
    const head = { rawHeaders: [] };
    if (this.#kind === "request") {
      const match = /^([A-Z-]+) ([^\s]+) HTTP\/1\.([01])$/.exec(lines[0]);
      if (match === null) {
        throw parseError("HPE_INVALID_CONSTANT", "Invalid request line");
      }
      [, head.method, head.url, head.versionMinor] = match;
    } else {
      const match = /^HTTP\/1\.([01]) (\d{3})(?: (.*))?$/.exec(lines[0]);
      if (match === null) {
        throw parseError("HPE_INVALID_CONSTANT", "Invalid status line");
      }
      head.versionMinor = match[1];
      head.statusCode = Number(match[2]);
      head.statusMessage = match[3] ?? "";
    }
    head.versionMinor = Number(head.versionMinor);
    for (const line of lines.slice(1)) {
      const colon = line.indexOf(":");
      const name = line.slice(0, colon);
      if (colon < 1 || !TOKEN.test(name)) {
        throw parseError(
          "HPE_INVALID_HEADER_TOKEN",
          "Invalid header token",
        );
      }
      const value = line.slice(colon + 1).replace(/^[ \t]+|[ \t]+$/g, "");
      if (INVALID_VALUE.test(value)) {
        throw parseError(
          "HPE_INVALID_HEADER_TOKEN",
          "Invalid header value char",
        );
      }
      head.rawHeaders.push(name, value);
    }
    const connection = values(head, "connection").join(",").toLowerCase()
      .split(",").map((it) => it.trim());
    head.isUpgrade = connection.includes("upgrade") &&
      values(head, "upgrade").length > 0;
    head.shouldKeepAlive = !connection.includes("close") &&
      (head.versionMinor === 1 || connection.includes("keep-alive"));
    return head;
  }

  /** How long the body is (section 6.3). Ambiguous lengths are refused. */
  #framing(head) {
    const lengths = values(head, "content-length");
    const codings = values(head, "transfer-encoding");
    if (codings.length > 0) {
      if (lengths.length > 0) {
        throw parseError(
          "HPE_UNEXPECTED_CONTENT_LENGTH",
          "Content-Length can't be present with Transfer-Encoding",
        );
      }
      if (codings.join(",").toLowerCase().trim() !== "chunked") {
        if (this.#kind === "response") {
          return {};
        }
        throw parseError(
          "HPE_INVALID_TRANSFER_ENCODING",
          "Request has invalid `Transfer-Encoding`",
        );
      }
      return { isChunked: true };
    }
    if (lengths.length === 0) {
      return {};
    }
    if (lengths.length > 1 || !/^\d{1,15}$/.test(lengths[0])) {
      throw parseError(
        "HPE_INVALID_CONTENT_LENGTH",
        "Invalid Content-Length",
      );
    }
    return { length: Number(lengths[0]) };
  }

  #readChunkLine() {
    const end = this.#rest.indexOf("\r\n");
    if ((end < 0 ? this.#rest.length : end) > MAX_CHUNK_LINE) {
      throw parseError(
        "HPE_CHUNK_EXTENSIONS_OVERFLOW",
        "Chunk extensions overflow",
      );
    }
    if (end < 0) {
      return false;
    }
    const line = this.#take(end + 2).toString("latin1", 0, end);
    const match = /^([0-9a-f]{1,12})(?:[ \t]*;.*)?$/i.exec(line);
    if (match === null) {
      throw parseError(
        "HPE_INVALID_CHUNK_SIZE",
        "Invalid character in chunk size",
      );
    }
    this.#left = parseInt(match[1], 16);
    this.#state = this.#left === 0 ? TRAILERS : CHUNK;
    return true;
  }

  /** Reads the trailers and drops them. */
  #readTrailers() {
    const end = this.#rest.indexOf("\r\n");
    if ((end < 0 ? this.#rest.length : end) > this.#maxHeaderSize) {
      throw parseError("HPE_HEADER_OVERFLOW", "Header overflow");
    }
    if (end < 0) {
      return false;
    }
    this.#take(end + 2);
    this.#left += end + 2;
    if (this.#left > this.#maxHeaderSize) {
      throw parseError("HPE_HEADER_OVERFLOW", "Header overflow");
    }
    if (end === 0) {
      this.#complete();
    }
    return true;
  }
}

/** The values of a header, in order. */
function values({ rawHeaders }, name) {
  const found = [];
  for (let i = 0; i < rawHeaders.length; i += 2) {
    if (rawHeaders[i].toLowerCase() === name) {
      found.push(rawHeaders[i + 1]);
    }
  }
  return found;
}

export { HttpParser, INVALID_VALUE, MAX_HEADER_SIZE, TOKEN };
