// Timers are Deno's Timeout objects, in ES modules too.
import { assert, assertEquals } from "../_assert.js";

const timer = setInterval(() => {}, 100_000);
assertEquals(timer.hasRef(), true);
assertEquals(timer.unref(), timer);
assertEquals(timer.hasRef(), false);
const id = +setTimeout(() => {
  throw new Error("it was cleared");
}, 0);
assert(Number.isInteger(id));
clearTimeout(id);
await new Promise((resolve) => setTimeout(resolve, 1).refresh());
await new Promise((resolve) => setImmediate(resolve));
Deno.unrefTimer(setTimeout(() => {}, 100_000));
console.log("ok");
