// deno: it gives a script all of its internals in this way
// The runtime calls `eval` with a text of the script, so that the text has a name of the
// runtime's; and what that text imports it imports while a module of the runtime is loaded.
import { done, escaped, isInternal } from "./_attempt.js";

const text = `globalThis.evil = () => import("ext:core/mod.js")`;
new ReadableStream({
  start(controller) {
    try {
      controller.enqueue(text);
    } catch {
      // A size is a number.
    }
  },
}, { highWaterMark: 1, size: eval });

const names = [
  "node:buffer",
  "node:console",
  "node:fs",
  "node:http",
  "node:module",
  "node:net",
  "node:process",
  "node:repl",
  "node:sqlite",
  "node:stream",
  "node:stream/promises",
  "node:test",
  "node:tty",
];
let imports = 0;
// Not while the main module is evaluated: no microtasks run then between the two.
setTimeout(async () => {
  const attempts = [];
  for (const name of names) {
    for (let i = 0; i < 5; i++) {
      queueMicrotask(() => attempts.push(globalThis.evil()));
    }
    import(name).then(() => imports += 1, () => {});
    await undefined;
  }
  const settled = await Promise.allSettled(attempts);
  for (const { value } of settled) {
    if (isInternal(value)) escaped("core", value);
  }
  if (attempts.length !== 5 * names.length || imports === 0) {
    throw new Error(`${attempts.length} attempts, ${imports} imports`);
  }
  done();
}, 1);
