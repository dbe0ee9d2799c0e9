// engine: v8
// flags: --allow-read --allow-env
// deno: writes the error to stderr, too
// Threads of Node.js: data on the way, messages, exit codes, errors, code as text.
import { once } from "node:events";
import { isMainThread, Worker } from "node:worker_threads";
import { assertEquals } from "../_assert.js";

assertEquals(isMainThread, true);
const worker = new Worker(new URL("./_thread.cjs", import.meta.url), {
  workerData: { of: "main" },
});
worker.postMessage("hi");
let [answer] = await once(worker, "message");
assertEquals(answer.message, "hi");
assertEquals(answer.workerData, { of: "main" });
assertEquals(answer.threadId, worker.threadId);
worker.postMessage("end");
assertEquals(await once(worker, "exit"), [3]);

const evaluated = new Worker(
  "const { parentPort } = require('worker_threads');" +
    "parentPort.postMessage(require('path').join('a', 'b'));",
  { eval: true },
);
[answer] = await once(evaluated, "message");
assertEquals(answer, "a/b");
assertEquals(await once(evaluated, "exit"), [0]);

const failing = new Worker("throw new TypeError('loud')", { eval: true });
const [error] = await once(failing, "error").catch((error) => [error]);
assertEquals([error.name, error.message], ["TypeError", "loud"]);
console.log("ok");
