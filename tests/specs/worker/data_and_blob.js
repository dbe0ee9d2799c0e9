// Workers from data: and blob: URLs need no permission. A blob: URL is taken when
// the worker is made, and may be revoked right after.
import { assert, assertEquals } from "../_assert.js";
import { inline, received } from "../_worker.js";

const data = inline("postMessage([name, location.protocol]); close();");
assertEquals(await received(data), ["", "data:"]);

function fromBlob(text, type) {
  const blob = new Blob([text], { type: "text/javascript" });
  const url = URL.createObjectURL(blob);
  const worker = new Worker(url, { type });
  URL.revokeObjectURL(url);
  return worker;
}
const blob = fromBlob("postMessage(location.protocol); close();", "module");
assertEquals(await received(blob), "blob:");

// What a worker makes an object URL of, others can read.
const made = inline(`
  postMessage(URL.createObjectURL(new Blob(["from a worker"])));
  onmessage = () => close();
`);
const url = await received(made);
assert(url.startsWith("blob:"));
assertEquals(await (await fetch(url)).text(), "from a worker");
made.postMessage("done");
console.log("ok");
