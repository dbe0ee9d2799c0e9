// flags: --allow-net --allow-import --location http://127.0.0.1:9/a/b
// deno: has no classic workers
// stderr: error: Uncaught (in worker "relative") Script "http://127.0.0.1:9/a/c.js" failed: [*]
// stdout: ok
// With a location a URL may be relative to it.
import { assert } from "../_assert.js";
import { failed } from "../_worker.js";

const { message } = await failed(new Worker("c.js", { name: "relative" }));
assert(message.includes("http://127.0.0.1:9/a/c.js"), message);
console.log("ok");
