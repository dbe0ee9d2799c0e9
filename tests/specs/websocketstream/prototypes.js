// flags: --allow-net
// deno: WebSocketStream needs --unstable-net
// A script that changes prototypes changes nothing inside.
import { assertEquals } from "../_assert.js";
import { serveEcho } from "../_server.js";

const server = serveEcho();
const controller = new AbortController();
const { signal } = controller;
const changed = () => {
  throw new Error("changed by the script");
};
const replace = (holder, name, descriptor) =>
  Object.defineProperty(holder, name, { configurable: true, ...descriptor });
const { getReader } = ReadableStream.prototype;
const { read } = ReadableStreamDefaultReader.prototype;
const { getWriter } = WritableStream.prototype;
const { write } = WritableStreamDefaultWriter.prototype;

globalThis.WebSocketStream; // loads it
replace(AbortSignal.prototype, "reason", { get: changed });
for (const name of ["error", "signal"]) {
  replace(WritableStreamDefaultController.prototype, name, { get: changed });
}
for (const name of ["enqueue", "close", "error"]) {
  replace(ReadableStreamDefaultController.prototype, name, { get: changed });
}
replace(ArrayBuffer.prototype, "resizable", { get: changed });
replace(WeakRef.prototype, "deref", { value: changed });
for (const name of ["start", "write", "close", "abort", "type", "session"]) {
  replace(Object.prototype, name, { get: changed, set: changed });
}
const { then } = Promise.prototype;
replace(Promise.prototype, "then", {
  value(...args) {
    return then.call(this, ...args);
  },
});
replace(WebSocketError.prototype, "closeCode", { get: changed });
replace(WebSocketError.prototype, "reason", { get: changed });

const stream = new WebSocketStream(server.url, { signal });
const { readable, writable } = await stream.opened;
const reader = getReader.call(readable);
const writer = getWriter.call(writable);
for (const chunk of ["text", new Uint8Array([1]), new ArrayBuffer(8)]) {
  await write.call(writer, chunk);
  const { value } = await read.call(reader);
  assertEquals(value.length, chunk.length ?? 8);
}
await reader.cancel(new WebSocketError("", { closeCode: 4000, reason: "x" }));
assertEquals(await stream.closed, { closeCode: 4000, reason: "x" });
for (const name of ["start", "write", "close", "abort", "type", "session"]) {
  delete Object.prototype[name];
}
await server.stop();
console.log("ok");
