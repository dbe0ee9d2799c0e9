// zlib, and the digests and keys of crypto.
import crypto from "node:crypto";
import zlib from "node:zlib";
import { assertEquals } from "../_assert.js";

const text = "text ".repeat(1000);
for (const kind of ["gzip", "deflate", "deflateRaw", "brotliCompress"]) {
  const back = {
    gzip: "gunzip",
    deflate: "inflate",
    deflateRaw: "inflateRaw",
    brotliCompress: "brotliDecompress",
  }[kind];
  const packed = zlib[`${kind}Sync`](text);
  assertEquals(packed.length < 100, true);
  assertEquals(`${zlib[`${back}Sync`](packed)}`, text);
}
assertEquals(
  crypto.pbkdf2Sync("a", "b", 1, 8, "sha256").toString("hex").length,
  16,
);
console.log("ok");
