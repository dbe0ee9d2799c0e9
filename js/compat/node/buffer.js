// node:buffer

import { invalidArgType, unsupported, withCode } from "node:internal/errors";

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
const customInspect = Symbol.for("nodejs.util.inspect.custom");

const ENCODINGS = {
  __proto__: null,
  utf8: "utf8",
  "utf-8": "utf8",
  hex: "hex",
  base64: "base64",
  base64url: "base64url",
  latin1: "latin1",
  binary: "latin1",
  ascii: "ascii",
  ucs2: "utf16le",
  "ucs-2": "utf16le",
  utf16le: "utf16le",
  "utf-16le": "utf16le",
};

function normalizeEncoding(encoding) {
  if (encoding === undefined || encoding === null || encoding === "") {
    return "utf8";
  }
  const name = ENCODINGS[String(encoding).toLowerCase()];
  if (name === undefined) {
    throw withCode(
      new TypeError(`Unknown encoding: ${encoding}`),
      "ERR_UNKNOWN_ENCODING",
    );
  }
  return name;
}

function encode(text, encoding) {
  switch (normalizeEncoding(encoding)) {
    case "utf8":
      return encoder.encode(text);
    case "hex":
      return fromHex(text);
    case "base64":
    case "base64url":
      return fromBase64(text);
    case "utf16le": {
      const bytes = new Uint8Array(text.length * 2);
      for (let i = 0; i < text.length; i++) {
        const unit = text.charCodeAt(i);
        bytes[2 * i] = unit;
        bytes[2 * i + 1] = unit >> 8;
      }
      return bytes;
    }
    default: {
      const bytes = new Uint8Array(text.length);
      for (let i = 0; i < text.length; i++) {
        bytes[i] = text.charCodeAt(i);
      }
      return bytes;
    }
  }
}

function decode(bytes, encoding) {
  switch (normalizeEncoding(encoding)) {
    case "utf8":
      return decoder.decode(bytes);
    case "hex": {
      let text = "";
      for (let i = 0; i < bytes.length; i++) {
        text += HEX[bytes[i]];
      }
      return text;
    }
    case "base64":
      return btoa(binary(bytes, 0xff));
    case "base64url":
      return btoa(binary(bytes, 0xff)).replaceAll("+", "-").replaceAll("/", "_")
        .replaceAll("=", "");
    case "utf16le": {
      let text = "";
      for (let i = 0; i + 1 < bytes.length; i += 2) {
        text += String.fromCharCode(bytes[i] | (bytes[i + 1] << 8));
      }
      return text;
    }
    case "ascii":
      return binary(bytes, 0x7f);
    default:
      return binary(bytes, 0xff);
  }
}

const HEX = Array.from(
  { length: 256 },
  (_, byte) => byte.toString(16).padStart(2, "0"),
);

function binary(bytes, mask) {
  let text = "";
  for (let i = 0; i < bytes.length; i++) {
    text += String.fromCharCode(bytes[i] & mask);
  }
  return text;
}

/** Up to the first pair that is none, as in Node.js. */
function fromHex(text) {
  const bytes = [];
  for (let i = 0; i + 1 < text.length; i += 2) {
    const pair = text.slice(i, i + 2);
    if (!/^[0-9a-f]{2}$/i.test(pair)) {
      break;
    }
    bytes.push(parseInt(pair, 16));
  }
  return Uint8Array.from(bytes);
}

/** Either alphabet, with or without padding; what is of neither is skipped. */
function fromBase64(text) {
  const end = text.indexOf("=");
  let clean = (end < 0 ? text : text.slice(0, end)).replaceAll("-", "+")
    .replaceAll("_", "/").replace(/[^A-Za-z0-9+/]/g, "");
  if (clean.length % 4 === 1) {
    clean = clean.slice(0, -1);
  }
  return encode(atob(clean), "latin1");
}

class Buffer extends Uint8Array {
  static poolSize = 8192;

  static from(value, encodingOrOffset, length) {
    if (typeof value === "string") {
      return view(encode(value, encodingOrOffset));
    }
    if (
      value instanceof ArrayBuffer ||
      (typeof SharedArrayBuffer !== "undefined" &&
        value instanceof SharedArrayBuffer)
    ) {
      return new Buffer(value, encodingOrOffset, length);
    }
    if (ArrayBuffer.isView(value)) {
      return view(Uint8Array.from(value));
    }
    if (typeof value === "object" && value !== null) {
      if (value.type === "Buffer" && Array.isArray(value.data)) {
        return view(Uint8Array.from(value.data));
      }
      if (
        Array.isArray(value) || typeof value[Symbol.iterator] === "function" ||
        typeof value.length === "number"
      ) {
        return view(Uint8Array.from(value));
      }
      const primitive = value.valueOf?.();
      if (primitive !== value && primitive !== undefined) {
        return Buffer.from(primitive, encodingOrOffset, length);
      }
    }
    throw invalidArgType(
      "first",
      "of type string or an instance of Buffer, ArrayBuffer, or Array or an Array-like Object",
      value,
    );
  }

  static alloc(size, fill, encoding) {
    checkSize(size);
    const buffer = new Buffer(size);
    return fill === undefined || fill === 0
      ? buffer
      : buffer.fill(fill, encoding);
  }

  static allocUnsafe(size) {
    checkSize(size);
    return new Buffer(size);
  }

  static allocUnsafeSlow(size) {
    return Buffer.allocUnsafe(size);
  }

  static concat(list, length) {
    length ??= list.reduce((sum, it) => sum + it.length, 0);
    const buffer = new Buffer(length);
    let offset = 0;
    for (const it of list) {
      if (!(it instanceof Uint8Array)) {
        throw invalidArgType("list", "an array of Buffer or Uint8Array", it);
      }
      const part = it.length > length - offset
        ? it.subarray(0, length - offset)
        : it;
      buffer.set(part, offset);
      offset += part.length;
    }
    return buffer;
  }

  static isBuffer(value) {
    return value instanceof Buffer;
  }

  static isEncoding(encoding) {
    return ENCODINGS[String(encoding).toLowerCase()] !== undefined;
  }

  static byteLength(value, encoding) {
    return typeof value === "string"
      ? encode(value, encoding).length
      : value.byteLength;
  }

  static compare(a, b) {
    const length = Math.min(a.length, b.length);
    for (let i = 0; i < length; i++) {
      if (a[i] !== b[i]) {
        return a[i] < b[i] ? -1 : 1;
      }
    }
    return Math.sign(a.length - b.length);
  }

  get parent() {
    return this.buffer;
  }

  get offset() {
    return this.byteOffset;
  }

  toString(encoding, start = 0, end = this.length) {
    return decode(
      start === 0 && end >= this.length
        ? this
        : super.subarray(Math.max(start, 0), Math.max(end, 0)),
      encoding,
    );
  }

  toLocaleString(encoding, start, end) {
    return this.toString(encoding, start, end);
  }

  toJSON() {
    return { type: "Buffer", data: Array.from(this) };
  }

  equals(other) {
    return this === other || Buffer.compare(this, other) === 0;
  }

  compare(other, start, end, thisStart, thisEnd) {
    return Buffer.compare(
      this.subarray(thisStart, thisEnd),
      other.subarray(start, end),
    );
  }

  /** A view, as in Node.js, and not the copy of a Uint8Array. */
  slice(start, end) {
    return this.subarray(start, end);
  }

  copy(target, targetStart = 0, sourceStart = 0, sourceEnd = this.length) {
    const room = Math.max(target.length - targetStart, 0);
    const source = super.subarray(
      sourceStart,
      Math.min(sourceEnd, sourceStart + room),
    );
    target.set(source, targetStart);
    return source.length;
  }

  write(text, offset, length, encoding) {
    if (typeof offset === "string") {
      [offset, length, encoding] = [0, undefined, offset];
    } else if (typeof length === "string") {
      [length, encoding] = [undefined, length];
    }
    offset ??= 0;
    const room = Math.min(length ?? Infinity, this.length - offset);
    let bytes = encode(text, encoding);
    if (bytes.length > room) {
      if (normalizeEncoding(encoding) === "utf8") {
        // No character in part.
        let end = room;
        while (end > 0 && (bytes[end] & 0xc0) === 0x80) {
          end--;
        }
        bytes = bytes.subarray(0, end);
      } else {
        bytes = bytes.subarray(0, room);
      }
    }
    this.set(bytes, offset);
    return bytes.length;
  }

  fill(value, offset, end, encoding) {
    if (typeof offset === "string") {
      [offset, end, encoding] = [0, this.length, offset];
    } else if (typeof end === "string") {
      [end, encoding] = [this.length, end];
    }
    offset ??= 0;
    end ??= this.length;
    if (typeof value === "number" || typeof value === "boolean") {
      return super.fill(Number(value) & 0xff, offset, end);
    }
    const bytes = typeof value === "string" ? encode(value, encoding) : value;
    if (bytes.length === 0) {
      return super.fill(0, offset, end);
    }
    for (let i = offset; i < end; i++) {
      this[i] = bytes[(i - offset) % bytes.length];
    }
    return this;
  }

  indexOf(value, offset = 0, encoding) {
    if (typeof offset === "string") {
      [offset, encoding] = [0, offset];
    }
    if (typeof value === "number") {
      return super.indexOf(value & 0xff, offset);
    }
    const bytes = typeof value === "string" ? encode(value, encoding) : value;
    let start = offset < 0 ? Math.max(this.length + offset, 0) : offset;
    if (bytes.length === 0) {
      return Math.min(start, this.length);
    }
    for (; start + bytes.length <= this.length; start++) {
      let i = 0;
      while (i < bytes.length && this[start + i] === bytes[i]) {
        i++;
      }
      if (i === bytes.length) {
        return start;
      }
    }
    return -1;
  }

  includes(value, offset, encoding) {
    return this.indexOf(value, offset, encoding) >= 0;
  }

  readUIntBE(offset, length) {
    checkRange(this, offset, length);
    let value = 0;
    for (let i = 0; i < length; i++) {
      value = value * 256 + this[offset + i];
    }
    return value;
  }

  readUIntLE(offset, length) {
    checkRange(this, offset, length);
    let value = 0;
    for (let i = length - 1; i >= 0; i--) {
      value = value * 256 + this[offset + i];
    }
    return value;
  }

  readIntBE(offset, length) {
    const value = this.readUIntBE(offset, length);
    const limit = 2 ** (8 * length - 1);
    return value >= limit ? value - 2 * limit : value;
  }

  readIntLE(offset, length) {
    const value = this.readUIntLE(offset, length);
    const limit = 2 ** (8 * length - 1);
    return value >= limit ? value - 2 * limit : value;
  }

  writeUIntBE(value, offset, length) {
    checkRange(this, offset, length);
    for (let i = length - 1; i >= 0; i--) {
      this[offset + i] = value % 256;
      value = Math.floor(value / 256);
    }
    return offset + length;
  }

  writeUIntLE(value, offset, length) {
    checkRange(this, offset, length);
    for (let i = 0; i < length; i++) {
      this[offset + i] = value % 256;
      value = Math.floor(value / 256);
    }
    return offset + length;
  }

  writeIntBE(value, offset, length) {
    return this.writeUIntBE(
      value < 0 ? value + 2 ** (8 * length) : value,
      offset,
      length,
    );
  }

  writeIntLE(value, offset, length) {
    return this.writeUIntLE(
      value < 0 ? value + 2 ** (8 * length) : value,
      offset,
      length,
    );
  }

  [customInspect]() {
    const shown = decode(super.subarray(0, 50), "hex").replace(
      /..(?=.)/g,
      "$& ",
    );
    const more = this.length > 50 ? ` ... ${this.length - 50} more bytes` : "";
    return `<Buffer${shown === "" ? "" : ` ${shown}`}${more}>`;
  }

  [Symbol.for("Deno.customInspect")]() {
    return this[customInspect]();
  }
}

// From readInt8 to writeDoubleLE, over a DataView.
const NUMBERS = {
  Int8: ["Int8", 1],
  UInt8: ["Uint8", 1],
  Int16: ["Int16", 2],
  UInt16: ["Uint16", 2],
  Int32: ["Int32", 4],
  UInt32: ["Uint32", 4],
  BigInt64: ["BigInt64", 8],
  BigUInt64: ["BigUint64", 8],
  Float: ["Float32", 4],
  Double: ["Float64", 8],
};
for (const [name, [method, length]] of Object.entries(NUMBERS)) {
  for (const order of length === 1 ? [""] : ["BE", "LE"]) {
    define(`read${name}${order}`, function (offset = 0) {
      checkRange(this, offset, length);
      return dataView(this)[`get${method}`](offset, order === "LE");
    });
    define(`write${name}${order}`, function (value, offset = 0) {
      checkRange(this, offset, length);
      dataView(this)[`set${method}`](offset, value, order === "LE");
      return offset + length;
    });
  }
}
for (const name of Object.getOwnPropertyNames(Buffer.prototype)) {
  if (name.includes("UInt")) {
    define(name.replace("UInt", "Uint"), Buffer.prototype[name]);
  }
}

function define(name, value) {
  Object.defineProperty(Buffer.prototype, name, {
    value,
    writable: true,
    configurable: true,
  });
}

function dataView(buffer) {
  return new DataView(buffer.buffer, buffer.byteOffset, buffer.byteLength);
}

function view(bytes) {
  return new Buffer(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function checkSize(size) {
  if (typeof size !== "number") {
    throw invalidArgType("size", "of type number", size);
  }
  if (!(size >= 0 && size <= Number.MAX_SAFE_INTEGER)) {
    throw withCode(
      new RangeError(`The value of "size" is out of range. Received ${size}`),
      "ERR_OUT_OF_RANGE",
    );
  }
}

function checkRange(buffer, offset, length) {
  if (
    !Number.isInteger(offset) || offset < 0 || offset + length > buffer.length
  ) {
    throw withCode(
      new RangeError(
        `The value of "offset" is out of range. It must be >= 0 and <= ${
          buffer.length - length
        }. Received ${offset}`,
      ),
      "ERR_OUT_OF_RANGE",
    );
  }
}

function isUtf8(input) {
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(input);
    return true;
  } catch {
    return false;
  }
}

function isAscii(input) {
  return Uint8Array.from(input).every((byte) => byte < 0x80);
}

const { atob, Blob, btoa, File } = globalThis;
const SlowBuffer = unsupported("buffer.SlowBuffer");
const kMaxLength = 2 ** 32;
const constants = { MAX_LENGTH: kMaxLength, MAX_STRING_LENGTH: 2 ** 29 - 24 };
const INSPECT_MAX_BYTES = 50;

export default {
  atob,
  Blob,
  btoa,
  Buffer,
  constants,
  File,
  INSPECT_MAX_BYTES,
  isAscii,
  isUtf8,
  kMaxLength,
  SlowBuffer,
};
export {
  atob,
  Blob,
  btoa,
  Buffer,
  constants,
  File,
  INSPECT_MAX_BYTES,
  isAscii,
  isUtf8,
  kMaxLength,
  SlowBuffer,
};
