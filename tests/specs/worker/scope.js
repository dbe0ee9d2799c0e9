// flags: --allow-read
// args: one two
// deno: lacks onmessageerror and importScripts
// The global object of a worker.
import { assertEquals } from "../_assert.js";
import { inline, received } from "../_worker.js";

const scope = await received(inline(
  `
  const has = (names) => names.filter((name) => name in globalThis);
  const { href, origin, protocol } = location;
  let assigned;
  try { location.href = "x"; assigned = location.href === href; }
  catch (error) { assigned = error.name; }
  let illegal = [];
  for (const name of ["WorkerGlobalScope", "DedicatedWorkerGlobalScope",
      "WorkerLocation", "WorkerNavigator"]) {
    try { new globalThis[name](); } catch (error) { illegal.push(error.name); }
  }
  postMessage({
    text: String(self),
    chain: self instanceof DedicatedWorkerGlobalScope &&
      self instanceof WorkerGlobalScope && self instanceof EventTarget,
    self: self === globalThis,
    lacks: has(["window", "Window", "document", "Location", "Navigator",
      "alert", "confirm", "prompt", "closed", "onload", "onunload",
      "onbeforeunload"]),
    has: has(["onerror", "onmessage", "onmessageerror", "onunhandledrejection",
      "postMessage", "close", "importScripts", "Worker", "WebSocket",
      "fetch", "structuredClone", "console", "Deno"]).length,
    name: [name, self.name],
    location: [String(location) === href, origin, protocol,
      location instanceof WorkerLocation, assigned],
    navigator: [String(navigator), navigator.userAgent.length > 0,
      navigator.hardwareConcurrency > 0,
      navigator instanceof WorkerNavigator],
    illegal,
    args: Deno.args,
    main: [Deno.mainModule, import.meta.main],
    internals: has(["bootstrap", "__bootstrap"]),
  });
  self.name = "replaced";
  postMessage(name);
  close();
`,
  { name: "a name" },
));
assertEquals(scope, {
  text: "[object DedicatedWorkerGlobalScope]",
  chain: true,
  self: true,
  lacks: [],
  has: 13,
  name: ["a name", "a name"],
  location: [true, "null", "data:", true, "TypeError"],
  navigator: ["[object WorkerNavigator]", true, true, true],
  illegal: ["TypeError", "TypeError", "TypeError", "TypeError"],
  args: ["one", "two"],
  main: [undefined, true],
  internals: [],
});
console.log("ok");
