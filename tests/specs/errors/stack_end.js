// flags: --allow-net
// A script that runs out of stack gets a RangeError, whatever it calls last.
import { assertEquals, assertThrows } from "../_assert.js";

const values = new Map([[Symbol("key"), new Set([{ a: 1 }])]]);
const target = new EventTarget();
let events = 0;
target.addEventListener("event", () => events++);
const acts = [
  () => {},
  () => Deno.inspect(values),
  () => new URL("no url"),
  () => Deno.openSync("/no such file"),
  () => new WebSocket("no scheme"),
  () => structuredClone(values),
  () => new TextDecoder().decode(new Uint8Array([255])),
  () => target.dispatchEvent(new Event("event")),
];
for (const act of acts) {
  const descend = () => {
    try {
      act();
    } catch {
      // Go on, to the very end.
    }
    descend();
  };
  assertThrows(descend, "RangeError", "Maximum call stack size exceeded");
}
assertEquals(events > 0, true);
console.log("ok");
