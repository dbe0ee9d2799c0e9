// deno: it imports `ext:core/mod.js` in this way; and a part of it that fails to load stays so, and ends the program
// A script has functions whose text counts as the runtime's, since the runtime called
// `eval` for it. Whatever is being loaded when they are called, they cannot import what is
// internal.
import { done, escaped, isInternal } from "./_attempt.js";

// What is loaded while the script lies may fail, and has nobody to tell.
globalThis.addEventListener(
  "unhandledrejection",
  (event) => event.preventDefault(),
);

const text = `(() => import("ext:core/mod.js"))`;
const functions = [];
const keep = (value) => {
  if (typeof value === "function") functions.push(value);
};

// Internal code calls what it was given with a text of the script.
const collect = (value) => {
  keep((0, eval)(value));
  return 1;
};
for (const size of [eval, collect]) {
  try {
    const start = (controller) => controller.enqueue(text);
    new ReadableStream({ start }, { highWaterMark: 1, size });
  } catch {
    // A size is a number.
  }
}
globalThis.kept = keep;
try {
  setTimeout(`kept(${text})`, 0);
} catch {
  // Deno takes no text.
}
const target = new EventTarget();
target.addEventListener(text, {
  handleEvent: ({ type }) => keep((0, eval)(type)),
});
target.dispatchEvent(new Event(text));
keep(new Function(`return ${text}`)());
keep(Reflect.construct(Function, [`return ${text}`])());
await new Promise((resolve) => setTimeout(resolve, 10));
JSON.parse(JSON.stringify([text]), (_key, value) => {
  if (typeof value === "string") keep((0, eval)(value));
  return value;
});

const attempts = [];
let isAttempting = false;
const attempt = () => {
  // What a script replaces it does not use itself.
  if (isAttempting) return;
  isAttempting = true;
  for (let i = 0; i < functions.length; i++) {
    try {
      attempts[attempts.length] = functions[i]();
    } catch {
      // Refused.
    }
  }
  isAttempting = false;
};

// What runs while a part of the runtime is loaded for the first time: micro-tasks, and
// everything that a script can replace.
for (
  const [name, method] of [[Array, "map"], [Array, "push"], [
    Array,
    Symbol.iterator,
  ]]
) {
  const original = name.prototype[method];
  name.prototype[method] = function (...args) {
    attempt();
    return Reflect.apply(original, this, args);
  };
}
for (const name of ["entries", "keys", "assign", "defineProperty"]) {
  const original = Object[name];
  Object[name] = (...args) => {
    attempt();
    return original(...args);
  };
}
for (
  const name of [
    "required",
    "converter",
    "defaultValue",
    "key",
    "then",
  ]
) {
  Object.defineProperty(Object.prototype, name, {
    configurable: true,
    get() {
      attempt();
      return undefined;
    },
    set(value) {
      Object.defineProperty(this, name, {
        value,
        writable: true,
        enumerable: true,
        configurable: true,
      });
    },
  });
}

const uses = [
  () => navigator.locks,
  () => Deno.serve,
  () => Deno.serve({ port: 0 }, () => {}),
  () => Deno.upgradeWebSocket,
  () => Deno.upgradeWebSocketStream,
  // deno-lint-ignore no-deprecated-deno-api
  () => Deno.serveHttp,
  () => WebSocketStream,
  () => new WebSocketStream("ws://localhost:1/"),
  () => new WebSocket("ws://localhost:1/"),
  () => Deno.createHttpClient,
  () => Deno.createHttpClient({}),
  () => Deno.permissions,
  () => Buffer,
  () => process,
  () => setImmediate,
  () => EventSource,
  () => CompressionStream,
  () => URLPattern,
  () => FileReader,
  () => BroadcastChannel,
  () => DOMMatrix,
  () => ImageData,
  () => FormData,
  () => fetch,
  () => Worker,
  () => Deno.listen,
  () => Deno.listenTls,
  () => Deno.open,
  () => Deno.addSignalListener,
  () => prompt,
];
for (const use of uses) {
  Promise.resolve().then(attempt);
  try {
    use();
  } catch {
    // Refused, or not there.
  }
  await undefined;
}
for (
  const name of [
    "node:fs",
    "node:http",
    "node:module",
    "node:net",
    "node:tls",
    "node:util",
  ]
) {
  Promise.resolve().then(attempt);
  try {
    await import(name);
  } catch {
    // Refused, or not there.
  }
}
isAttempting = true;
if (functions.length < 4) {
  throw new Error(`There are ${functions.length} functions only`);
}
for (let i = 0; i < attempts.length; i++) {
  try {
    const module = await attempts[i];
    if (isInternal(module)) escaped("core", Object.keys(module));
  } catch {
    // Refused.
  }
}
done();
