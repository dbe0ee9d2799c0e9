// Modules of Node.js, in an ES module.
import { Buffer } from "node:buffer";
import crypto from "node:crypto";
import path from "node:path";
import { EventEmitter } from "node:events";
import { Readable, Transform } from "node:stream";
import url from "node:url";
import { assertEquals, assertThrows } from "../_assert.js";

assertEquals(Buffer.from("aGk=", "base64").toString(), "hi");
assertEquals(Buffer.from("hi").toString("hex"), "6869");
assertEquals(
  Buffer.concat([Buffer.from("a"), Buffer.from([98])]).toString(),
  "ab",
);
assertEquals(Buffer.from([1, 2, 3, 4]).readUInt32BE(0), 0x01020304);
assertEquals(Deno.inspect(Buffer.from("hi")), "<Buffer 68 69>");
assertEquals(
  crypto.createHash("sha1").update("abc").digest("hex"),
  "a9993e364706816aba3e25717850c26c9cd0d89d",
);
assertEquals(
  crypto.createHmac("sha256", "key").update("abc").digest("base64"),
  "nBluMtwBdfhvSxy4konWYZ3mvuaZ5MN45oMJ7Zehpqs=",
);
assertEquals(path.join("/a/b", "../c", "./d.js"), "/a/c/d.js");
assertEquals(url.parse("/a?b=c", true).query.b, "c");

const emitter = new EventEmitter();
const order = [];
emitter.once("it", (value) => order.push(`once ${value}`));
emitter.prependListener("it", (value) => order.push(`first ${value}`));
emitter.emit("it", 1);
emitter.emit("it", 2);
assertEquals(order, ["first 1", "once 1", "first 2"]);
assertThrows(() => emitter.emit("error", new TypeError("loud")), "TypeError");

const upper = new Transform({
  transform: (chunk, _encoding, callback) =>
    callback(null, chunk.toString().toUpperCase()),
});
let text = "";
for await (const chunk of Readable.from(["a", "b"]).pipe(upper)) {
  text += chunk;
}
assertEquals(text, "AB");

// What libraries of old do.
const { Stream } = await import("node:stream");
assertEquals(typeof Stream.prototype.pipe, "function");
assertEquals(new Buffer.allocUnsafeSlow(8).length, 8);
console.log("ok");
