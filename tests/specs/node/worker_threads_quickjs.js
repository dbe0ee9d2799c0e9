// engine: quickjs
// flags: --allow-read
// deno: has threads on this engine
// What cannot be done is refused by name.
import { isMainThread, Worker } from "node:worker_threads";
import { assertEquals, assertThrows } from "../_assert.js";

assertEquals(isMainThread, true);
assertThrows(
  () => new Worker(new URL("./_thread.cjs", import.meta.url)),
  "NotSupported",
  "use the web's Worker",
);
console.log("ok");
