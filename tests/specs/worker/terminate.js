// deno: waits for ever for a worker that is busy
// stderr: [*]
// On QuickJS, deno_core may be stopped while it reads the stack of what was stopped, and
// says so. terminate() ends a worker whatever it does, and nothing comes of it after.
import { assertEquals } from "../_assert.js";
import { inline, received } from "../_worker.js";

for (
  const busy of [
    "for (;;);",
    "function f() { return f; } for (;;) f();",
    "onmessage = () => { for (;;); };",
    "const again = () => Promise.resolve().then(again); again();",
    "const again = () => setTimeout(again); again();",
    "setInterval(() => postMessage('more'), 0);",
    "await new Promise(() => {});",
    "for (;;) try { for (;;); } catch {} finally { continue; }",
  ]
) {
  const worker = inline(`postMessage("up"); ${busy}`);
  assertEquals(await received(worker), "up", busy);
  worker.postMessage("go");
  worker.onmessage = () => {
    throw new Error(`a message after terminate: ${busy}`);
  };
  worker.terminate();
  worker.terminate();
}

// Before it is up, too.
for (let i = 0; i < 10; i++) inline("postMessage(1)").terminate();

// A timer of a terminated worker does not keep anything alive.
inline("setTimeout(() => {}, 60_000);").terminate();
console.log("ok");
