// node:crypto: random bytes, digests and HMACs.

import { core } from "ext:core/mod.js";
import { Buffer } from "node:buffer";
import { unsupported, withCode } from "node:internal/errors";

const { op_node_digest } = core.ops;

const webcrypto = globalThis.crypto;
const { subtle } = webcrypto;

// What getRandomValues fills at once.
const MOST_RANDOM_BYTES = 65536;

function randomFillSync(buffer) {
  const bytes = new Uint8Array(
    buffer.buffer ?? buffer,
    buffer.byteOffset ?? 0,
    buffer.byteLength,
  );
  for (let i = 0; i < bytes.length; i += MOST_RANDOM_BYTES) {
    webcrypto.getRandomValues(bytes.subarray(i, i + MOST_RANDOM_BYTES));
  }
  return buffer;
}

function randomFill(buffer, callback) {
  queueMicrotask(() => callback(null, randomFillSync(buffer)));
}

function randomBytes(size, callback) {
  const buffer = randomFillSync(Buffer.alloc(size));
  if (callback === undefined) {
    return buffer;
  }
  queueMicrotask(() => callback(null, buffer));
}

function randomInt(least, most) {
  if (most === undefined) {
    [least, most] = [0, least];
  }
  const range = most - least;
  // Without the values that would favour some.
  const limit = 2 ** 48 - 2 ** 48 % range;
  let value;
  do {
    value = randomBytes(6).readUIntBE(0, 6);
  } while (value >= limit);
  return least + value % range;
}

const randomUUID = () => webcrypto.randomUUID();

const BLOCK_SIZES = { sha1: 64, sha256: 64, sha384: 128, sha512: 128 };

function algorithm(name) {
  const key = String(name).toLowerCase().replace("-", "");
  if (!Object.hasOwn(BLOCK_SIZES, key)) {
    throw withCode(
      new Error(
        `Digest method not supported: ${name} (duplex has ${
          getHashes().join(", ")
        })`,
      ),
      "ERR_CRYPTO_INVALID_DIGEST",
    );
  }
  return key;
}

class Hash {
  #name;
  #parts = [];
  #isDone = false;

  constructor(name) {
    this.#name = algorithm(name);
  }

  update(data, encoding) {
    if (this.#isDone) {
      throw withCode(
        new Error("Digest already called"),
        "ERR_CRYPTO_HASH_FINALIZED",
      );
    }
    this.#parts.push(Buffer.from(data, encoding));
    return this;
  }

  digest(encoding) {
    if (this.#isDone) {
      throw withCode(
        new Error("Digest already called"),
        "ERR_CRYPTO_HASH_FINALIZED",
      );
    }
    this.#isDone = true;
    const digest = Buffer.from(
      op_node_digest(this.#name, Buffer.concat(this.#parts)),
    );
    return encoding === undefined || encoding === "buffer"
      ? digest
      : digest.toString(encoding);
  }
}

/** RFC 2104. */
class Hmac {
  #name;
  #inner;
  #outerKey;

  constructor(name, key) {
    this.#name = algorithm(name);
    let bytes = Buffer.from(key);
    const size = BLOCK_SIZES[this.#name];
    if (bytes.length > size) {
      bytes = new Hash(name).update(bytes).digest();
    }
    const block = Buffer.alloc(size);
    bytes.copy(block);
    this.#inner = new Hash(name).update(block.map((byte) => byte ^ 0x36));
    this.#outerKey = block.map((byte) => byte ^ 0x5c);
  }

  update(data, encoding) {
    this.#inner.update(data, encoding);
    return this;
  }

  digest(encoding) {
    return new Hash(this.#name).update(this.#outerKey).update(
      this.#inner.digest(),
    ).digest(encoding);
  }
}

const createHash = (name) => new Hash(name);
const createHmac = (name, key) => new Hmac(name, key);
const getHashes = () => Object.keys(BLOCK_SIZES);
const hash = (name, data, encoding = "hex") =>
  new Hash(name).update(data).digest(encoding);

function timingSafeEqual(a, b) {
  if (a.byteLength !== b.byteLength) {
    throw withCode(
      new RangeError("Input buffers must have the same byte length"),
      "ERR_CRYPTO_TIMING_SAFE_EQUAL_LENGTH",
    );
  }
  let difference = 0;
  for (let i = 0; i < a.length; i++) {
    difference |= a[i] ^ b[i];
  }
  return difference === 0;
}

const createCipheriv = unsupported("crypto.createCipheriv()");
const createDecipheriv = unsupported("crypto.createDecipheriv()");
const createSign = unsupported("crypto.createSign()");
const createVerify = unsupported("crypto.createVerify()");
const pbkdf2 = unsupported("crypto.pbkdf2()");
const scrypt = unsupported("crypto.scrypt()");

export default {
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  createSign,
  createVerify,
  getHashes,
  Hash,
  hash,
  Hmac,
  pbkdf2,
  randomBytes,
  randomFill,
  randomFillSync,
  randomInt,
  randomUUID,
  scrypt,
  subtle,
  timingSafeEqual,
  webcrypto,
};
export {
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  createSign,
  createVerify,
  getHashes,
  Hash,
  hash,
  Hmac,
  pbkdf2,
  randomBytes,
  randomFill,
  randomFillSync,
  randomInt,
  randomUUID,
  scrypt,
  subtle,
  timingSafeEqual,
  webcrypto,
};
