// deno: stops the script right in close()
// close() lets the script that runs come to its end, and it is the last one.
import { assertEquals } from "../_assert.js";
import { inline } from "../_worker.js";

const seen = [];
const worker = inline(`
  setTimeout(() => postMessage("timer"));
  onmessage = () => postMessage("message");
  Promise.resolve().then(() => postMessage("microtask"));
  postMessage("before");
  close();
  close();
  postMessage("after");
  Promise.resolve().then(() => postMessage("late microtask"));
`);
worker.onmessage = (event) => seen.push(event.data);
worker.postMessage("anything");

// The owner's event loop ends with the worker.
addEventListener("unload", () => {
  assertEquals(seen, ["before", "after", "microtask"]);
  console.log("ok");
});
