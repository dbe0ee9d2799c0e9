// flags: --allow-net
// deno: WebSocketStream needs --unstable-net
// Both interfaces, to the letter of Web IDL.
import {
  assert,
  assertEquals,
  assertRejects,
  assertThrows,
} from "../_assert.js";

const describe = (holder, name) => {
  const { value, get, set, enumerable, configurable, writable } = Object
    .getOwnPropertyDescriptor(holder, name);
  return [typeof (value ?? get), set, enumerable, configurable, writable];
};
const attribute = ["function", undefined, true, true, undefined];
const method = ["function", undefined, true, true, true];
const hidden = ["function", undefined, false, true, true];
const name = ["string", undefined, false, true, false];

for (const global of ["WebSocketStream", "WebSocketError"]) {
  assertEquals(globalThis[global].name, global);
  assertEquals(describe(globalThis, global), hidden);
  assertEquals(
    describe(globalThis[global].prototype, Symbol.toStringTag),
    name,
  );
  assertEquals(globalThis[global].prototype[Symbol.toStringTag], global);
  assertEquals(
    Object.getOwnPropertyDescriptor(globalThis[global], "prototype").writable,
    false,
  );
}
assertEquals(WebSocketStream.length, 1);
assertEquals(WebSocketError.length, 0);
assertEquals(Object.keys(WebSocketStream.prototype).sort(), [
  "close",
  "closed",
  "opened",
  "url",
]);
for (const name of ["url", "opened", "closed"]) {
  assertEquals(describe(WebSocketStream.prototype, name), attribute);
}
assertEquals(describe(WebSocketStream.prototype, "close"), method);
assertEquals(WebSocketStream.prototype.close.length, 0);
assertEquals(Object.keys(WebSocketError.prototype).sort(), [
  "closeCode",
  "reason",
]);
for (const name of ["closeCode", "reason"]) {
  assertEquals(describe(WebSocketError.prototype, name), attribute);
}
assert(Object.getPrototypeOf(WebSocketError) === DOMException);
assert(
  Object.getPrototypeOf(WebSocketError.prototype) === DOMException.prototype,
);

// Wrong receivers. An attribute that is a promise rejects.
const { prototype } = WebSocketStream;
for (const wrong of [{}, prototype, Object.create(prototype), undefined, 1]) {
  const get = (holder, name) =>
    Object.getOwnPropertyDescriptor(holder, name).get.call(wrong);
  assertThrows(() => get(prototype, "url"), "TypeError");
  assertThrows(() => prototype.close.call(wrong), "TypeError");
  await assertRejects(get(prototype, "opened"), "TypeError");
  await assertRejects(get(prototype, "closed"), "TypeError");
  assertThrows(() => get(WebSocketError.prototype, "closeCode"), "TypeError");
  assertThrows(() => get(WebSocketError.prototype, "reason"), "TypeError");
}

// The same promises each time; and subclasses.
class Subclass extends WebSocketStream {}
const stream = new Subclass("ws://127.0.0.1:1/", {
  signal: AbortSignal.abort(),
});
assertEquals(stream instanceof WebSocketStream, true);
assertEquals(stream.opened === stream.opened, true);
assertEquals(stream.closed === stream.closed, true);
assertEquals(stream.opened instanceof Promise, true);
assertEquals(Object.keys(stream), []);
assertEquals(String(stream), "[object WebSocketStream]");
const shown = Deno.inspect(stream).replaceAll(/\s+/g, " ");
assert(shown.startsWith("Subclass { closed: Promise { <rejected>"), shown);
assert(shown.endsWith('url: "ws://127.0.0.1:1/" }'), shown);
console.log("ok");
