// Deno.exit() in a worker ends the worker and nothing else.
import { assertEquals } from "../_assert.js";
import { inline } from "../_worker.js";

const seen = [];
const worker = inline(`
  postMessage("before");
  try { Deno.exit(3); } finally { postMessage("finally"); }
`);
worker.onmessage = (event) => seen.push(event.data);
addEventListener("unload", () => {
  assertEquals(seen, ["before"]);
  console.log("ok");
});
