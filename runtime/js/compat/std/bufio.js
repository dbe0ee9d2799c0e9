// deno.land/std/io/bufio: buffered reading and writing.

const BUFFER_SIZE = 4096;

class BufReader {
  #reader;
  #buffer = new Uint8Array();
  #hasEnded = false;

  static create(reader, size) {
    return reader instanceof BufReader ? reader : new BufReader(reader, size);
  }

  constructor(reader, size = BUFFER_SIZE) {
    this.#reader = reader;
    this.#size = Math.max(size, 16);
  }

  #size;

  size() {
    return this.#size;
  }

  /** The bytes that were read but not asked for yet. */
  buffered() {
    return this.#buffer.length;
  }

  async #fill() {
    if (this.#hasEnded) {
      return false;
    }
    const chunk = new Uint8Array(this.#size);
    const count = await this.#reader.read(chunk);
    if (count === null) {
      this.#hasEnded = true;
      return false;
    }
    this.unread(chunk.subarray(0, count), true);
    return true;
  }

  /** Puts bytes before the buffered bytes, or after them. */
  unread(bytes, isBehind = false) {
    if (bytes.length === 0) {
      return;
    }
    const [first, second] = isBehind
      ? [this.#buffer, bytes]
      : [bytes, this.#buffer];
    const joined = new Uint8Array(first.length + second.length);
    joined.set(first);
    joined.set(second, first.length);
    this.#buffer = joined;
  }

  #take(count) {
    const taken = this.#buffer.subarray(0, count);
    this.#buffer = this.#buffer.subarray(count);
    return taken;
  }

  async read(p) {
    if (p.length === 0) {
      return 0;
    }
    if (this.#buffer.length === 0 && !await this.#fill()) {
      return null;
    }
    const bytes = this.#take(Math.min(p.length, this.#buffer.length));
    p.set(bytes);
    return bytes.length;
  }

  /** Fills `p`, or returns null at the end. */
  async readFull(p) {
    while (this.#buffer.length < p.length) {
      if (!await this.#fill()) {
        if (this.#buffer.length === 0) {
          return null;
        }
        throw new Deno.errors.UnexpectedEof();
      }
    }
    p.set(this.#take(p.length));
    return p;
  }

  async readByte() {
    const byte = await this.readFull(new Uint8Array(1));
    return byte === null ? null : byte[0];
  }

  async peek(count) {
    while (this.#buffer.length < count) {
      if (!await this.#fill()) {
        return this.#buffer.length === 0 ? null : this.#buffer.slice();
      }
    }
    return this.#buffer.slice(0, count);
  }

  /** Reads up to and including the byte `delimiter`. */
  async readSlice(delimiter) {
    let start = 0;
    while (true) {
      const index = this.#buffer.indexOf(delimiter, start);
      if (index >= 0) {
        return this.#take(index + 1).slice();
      }
      start = this.#buffer.length;
      if (!await this.#fill()) {
        return start === 0 ? null : this.#take(start).slice();
      }
    }
  }

  async readString(delimiter) {
    const bytes = await this.readSlice(delimiter.charCodeAt(0));
    return bytes === null ? null : new TextDecoder().decode(bytes);
  }

  /** Reads a line, and returns it without its end. */
  async readLine() {
    const bytes = await this.readSlice(10);
    if (bytes === null) {
      return null;
    }
    let end = bytes.length;
    if (bytes[end - 1] === 10) {
      end -= bytes[end - 2] === 13 ? 2 : 1;
    }
    return { line: bytes.subarray(0, end), more: false };
  }
}

class BufWriter {
  #writer;
  #size;
  #chunks = [];
  #length = 0;

  static create(writer, size) {
    return writer instanceof BufWriter ? writer : new BufWriter(writer, size);
  }

  constructor(writer, size = BUFFER_SIZE) {
    this.#writer = writer;
    this.#size = size;
  }

  size() {
    return this.#size;
  }

  buffered() {
    return this.#length;
  }

  available() {
    return Math.max(this.#size - this.#length, 0);
  }

  async write(p) {
    this.#chunks.push(p.slice());
    this.#length += p.length;
    if (this.#length > this.#size) {
      await this.flush();
    }
    return p.length;
  }

  async flush() {
    const chunks = this.#chunks;
    this.#chunks = [];
    this.#length = 0;
    for (let chunk of chunks) {
      while (chunk.length > 0) {
        chunk = chunk.subarray(await this.#writer.write(chunk));
      }
    }
  }
}

export { BufReader, BufWriter };
