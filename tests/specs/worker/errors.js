// flags: --allow-read=./missing.js,./_lib/echo.js
// Whatever keeps a worker from starting and whatever ends it is an `error` event.
// stderr: error: Uncaught (in worker "missing") Module not found "file:///[*]/worker/missing.js".
// stderr: error: Uncaught (in worker "syntax") [*]SyntaxError[*]
// stderr:   |
// stderr: 1 | let let
// stderr:   |     ~~~
// stderr:     at data:text/javascript,let%20let:1:5
// stderr: error: Uncaught (in worker "denied") Requires read access to [*]suffix.js", run again with the --allow-read flag[*]
// stderr: error: Uncaught (in worker "thrown") [*]TypeError: thrown
// stderr: [*]
// stderr: error: Uncaught (in worker "late") Error: late
// stderr: [*]
// stderr: error: Uncaught (in worker "rejected") (in promise) Error: rejected
// stderr: [*]
// stderr: error: Uncaught (in worker "value") [*]"a string"[*]
// stdout: ok
import { assert, assertEquals } from "../_assert.js";
import { failed, inline, received } from "../_worker.js";

addEventListener("error", (event) => {
  throw new Error(`a handled error came through: ${event.message}`);
});

async function messageOf(worker, text) {
  const event = await failed(worker);
  assert(event instanceof ErrorEvent && event.cancelable && !event.bubbles);
  assertEquals(event.error, null);
  assert(event.message.includes(text), event.message);
  return event;
}

function file(path, name) {
  const url = new URL(path, import.meta.url);
  return new Worker(url, { type: "module", name });
}

let event = await messageOf(
  file("./missing.js", "missing"),
  'Module not found "file:///',
);
assertEquals([event.filename, event.lineno, event.colno], ["", 0, 0]);
await messageOf(inline("let let", { name: "syntax" }), "SyntaxError");
await messageOf(
  file("./_lib/echo.js", "denied"),
  "run again with the --allow-read flag",
);
event = await messageOf(
  inline("\n throw new TypeError('thrown');", { name: "thrown" }),
  "Uncaught",
);
assert(event.message.endsWith("TypeError: thrown"));
assertEquals(event.lineno, 2);
assert(event.filename.startsWith("data:"));
const late = inline(
  "setTimeout(() => { throw new Error('late'); }); postMessage(1);",
  { name: "late" },
);
const first = received(late);
await messageOf(late, "Uncaught Error: late");
assertEquals(await first, 1);
await messageOf(
  inline("Promise.reject(new Error('rejected'));", { name: "rejected" }),
  "Error: rejected",
);
await messageOf(
  inline("setTimeout(() => { throw 'a string'; });", { name: "value" }),
  "a string",
);

// A worker that handles its error goes on.
const handling = inline(`
  self.onerror = (message, file, line, column, error) => {
    postMessage([message, typeof file, line, typeof column, error.name]);
    return true;
  };
  setTimeout(() => { throw new RangeError("handled"); });
  onmessage = () => close();
`);
assertEquals(await received(handling), [
  "Uncaught RangeError: handled",
  "string",
  6,
  "number",
  "RangeError",
]);
handling.postMessage("close");
console.log("ok");
