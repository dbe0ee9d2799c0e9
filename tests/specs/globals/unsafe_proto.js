// flags: --unsafe-proto
// The accessor is there when it is asked for, in workers too.
import { assertEquals } from "../_assert.js";

const prototype = {};
const object = {};
object.__proto__ = prototype;
assertEquals(Object.getPrototypeOf(object) === prototype, true);
const url = URL.createObjectURL(
  new Blob(["postMessage([].__proto__ === Array.prototype)"]),
);
const worker = new Worker(url, { type: "module" });
const { promise, resolve } = Promise.withResolvers();
worker.onmessage = ({ data }) => resolve(data);
assertEquals(await promise, true);
worker.terminate();
console.log("ok");
