// flags: --allow-net=127.0.0.1:9
// deno: makes null of undefined, {} of a WebSocket
// What can be cloned arrives as what it was; what cannot is a DataCloneError, and
// a WebSocket cannot, however deep it is.
import { assert, assertEquals, assertThrows, once } from "../_assert.js";
import { inline, received } from "../_worker.js";

const worker = inline("onmessage = (event) => postMessage(event.data);");
async function roundTrip(value) {
  worker.postMessage(value);
  return await received(worker);
}

for (
  const value of [undefined, null, true, -0, NaN, 1.5, "é\u{1f600}\ud800", 10n]
) {
  assert(Object.is(await roundTrip(value), value), String(value));
}
const circle = { list: [1, [2]], date: new Date(0), set: new Set(["a"]) };
circle.self = circle;
const copy = await roundTrip(circle);
assert(copy !== circle && copy.self === copy);
assertEquals([copy.date.getTime(), [...copy.set], copy.list], [
  0,
  ["a"],
  [1, [2]],
]);
assertEquals((await roundTrip(/x/g)).flags, "g");
// QuickJS clones no errors.
if (Deno.version.engine !== "quickjs") {
  assertEquals((await roundTrip(new RangeError("r"))).name, "RangeError");
}
assertEquals((await roundTrip(new DOMException("d", "AbortError"))).code, 20);
assertEquals(await (await roundTrip(new Blob(["blob"]))).text(), "blob");
assertEquals((await roundTrip(new File([], "name"))).name, "name");
assertEquals(await roundTrip(new Uint16Array([1, 2])), new Uint16Array([1, 2]));
const socket = new WebSocket("ws://127.0.0.1:9/");
socket.onerror = () => {};
for (
  const value of [() => {}, Symbol(), socket, { deep: [socket] }, new WeakMap()]
) {
  assertThrows(() => worker.postMessage(value), "DataCloneError");
  assertThrows(() => structuredClone(value), "DataCloneError");
}
assertThrows(() => worker.postMessage(), "TypeError", "1 argument required");
socket.close();

// What cannot be read at its other end is a `messageerror` there. Scripts have no
// business with the symbol, but can come by it.
const broken = {
  [Symbol.for("Deno.core.hostObject")]: () => ({ type: "Blob" }),
};
const reading = inline(`
  onmessageerror = ({ data, type }) => postMessage([type, data.name]);
  onmessage = ({ data }) => postMessage(data);
`);
reading.postMessage(broken);
assertEquals(await received(reading), ["messageerror", "RangeError"]);
reading.postMessage("goes on");
assertEquals(await received(reading), "goes on");
reading.terminate();
const writing = inline(`
  postMessage({
    [Symbol.for("Deno.core.hostObject")]: () => ({ type: "Blob" }),
  });
  close();
`);
assertEquals((await once(writing, "messageerror")).data.name, "RangeError");
worker.terminate();
worker.postMessage("to nobody");
assertThrows(() => worker.postMessage(() => {}), "DataCloneError");
console.log("ok");
