// deno: has no classic workers
// Which URLs and options the constructor takes.
import { assertEquals, assertThrows } from "../_assert.js";

for (const url of ["./x.js", "x.js", "/x.js", "//host/x.js", ""]) {
  for (const type of ["module", "classic"]) {
    assertThrows(
      () => new Worker(url, { type }),
      "URIError",
      "relative URL without a base",
    );
  }
}
assertThrows(() => new Worker(), "TypeError");
assertThrows(() => Worker("data:,"), "TypeError");
assertThrows(() => new Worker("data:,", { type: "shared" }), "TypeError");
assertThrows(() => new Worker(Symbol()), "TypeError");

assertEquals(Worker.length, 1);
assertEquals(String(Worker.prototype), "[object Worker]");
for (const name of ["onmessage", "onmessageerror", "onerror"]) {
  assertEquals(Object.hasOwn(Worker.prototype, name), true, name);
}
const worker = new Worker("data:,", { type: undefined, name: 1 });
assertEquals(Object.keys(worker), []);
assertEquals(worker instanceof EventTarget, true);
assertEquals(worker.onerror, null);
worker.terminate();
console.log("ok");
