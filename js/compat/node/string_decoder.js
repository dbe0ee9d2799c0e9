// node:string_decoder

import { Buffer } from "node:buffer";

/** Decodes bytes that come in parts; characters in part wait for the rest. */
class StringDecoder {
  #decoder;
  #unit;
  #rest = Buffer.alloc(0);

  constructor(encoding = "utf8") {
    this.encoding = String(encoding).toLowerCase().replace("-", "");
    switch (this.encoding) {
      case "utf8":
        this.#decoder = new TextDecoder("utf-8", { ignoreBOM: true });
        break;
      case "ucs2":
      case "utf16le":
        this.#decoder = new TextDecoder("utf-16le", { ignoreBOM: true });
        break;
      case "base64":
      case "base64url":
        this.#unit = 3;
        break;
      default:
        this.#unit = 1;
    }
  }

  write(bytes) {
    if (typeof bytes === "string") {
      return bytes;
    }
    if (this.#decoder !== undefined) {
      return this.#decoder.decode(bytes, { stream: true });
    }
    const all = Buffer.concat([this.#rest, bytes]);
    const whole = all.length - all.length % this.#unit;
    this.#rest = all.subarray(whole);
    return all.toString(this.encoding, 0, whole);
  }

  end(bytes) {
    const text = bytes === undefined ? "" : this.write(bytes);
    if (this.#decoder !== undefined) {
      return text + this.#decoder.decode();
    }
    const rest = this.#rest.toString(this.encoding);
    this.#rest = Buffer.alloc(0);
    return text + rest;
  }
}

export default { StringDecoder };
export { StringDecoder };
