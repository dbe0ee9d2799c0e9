// flags: --allow-net=127.0.0.1
// deno: its own JavaScript is another one
// Every function and accessor that a script can reach is replaced by one that does the
// same and notes who called it. Then each API is used once, and each part of the runtime
// that is loaded late is loaded for the first time. The runtime may call none of them: what
// it takes from a prototype or the global object, it took before the script could change it.
import { done, escaped, isInternal } from "./_attempt.js";

const { apply, construct, ownKeys } = Reflect;
const { defineProperty, getOwnPropertyDescriptor, getPrototypeOf } = Object;
const { log } = console;
const NativeError = Error;
const seen = new Set();
const add = Function.prototype.call.bind(Set.prototype.add);
const has = Function.prototype.call.bind(Set.prototype.has);
const split = Function.prototype.call.bind(String.prototype.split);
const test = Function.prototype.call.bind(RegExp.prototype.test);
const reports = new Set();
let isWatching = false;

// What the runtime may call: `console` is the program's, which errors of handlers are
// printed with.
const ALLOWED = Deno.version.engine === "quickjs"
  // The engine and its binding make templates, copies and views by what a script can replace.
  ? /^globalThis\.console|prototype\.(?:concat|toString)$|DataView\.prototype|Symbol\.species|prototype\.resizable$/
  : /^globalThis\.console/;

function caller() {
  // After the message: this function, note(), the replacement, who called that.
  const { stack } = new NativeError();
  return split(stack, "\n")[4] ?? "";
}

function note(path, self, values) {
  if (!isWatching) return;
  isWatching = false;
  const line = caller();
  // The crates of Deno do as they do there: sequences are iterated, for one.
  if (test(/ext:duplex_/, line) && !test(ALLOWED, path)) {
    add(reports, `${path} <- ${line}`);
  }
  if (isInternal(self)) escaped(path, "an internal object");
  for (let i = 0; i < values.length; i++) {
    if (isInternal(values[i])) escaped(path, "an internal object");
  }
  isWatching = true;
}

function replaced(path, original) {
  // With `new.target` and all properties, as the original.
  return new Proxy(original, {
    apply(target, self, args) {
      note(path, self, args);
      return apply(target, self, args);
    },
    construct(target, args, newTarget) {
      note(`new ${path}`, undefined, args);
      return construct(target, args, newTarget);
    },
  });
}

function replaceAll(object, path) {
  if (
    (typeof object !== "object" && typeof object !== "function") ||
    object === null || has(seen, object)
  ) {
    return;
  }
  add(seen, object);
  const keys = ownKeys(object);
  for (let i = 0; i < keys.length; i++) {
    const key = keys[i];
    const name = `${path}.${String(key)}`;
    const descriptor = getOwnPropertyDescriptor(object, key);
    if (descriptor === undefined) continue;
    const { value, get, set } = descriptor;
    if (get === undefined && set === undefined) {
      replaceAll(value, name);
      if (
        typeof value === "function" && descriptor.configurable &&
        key !== "constructor"
      ) {
        defineProperty(object, key, {
          ...descriptor,
          value: replaced(name, value),
        });
      }
      continue;
    }
    if (isLate(get)) continue;
    if (descriptor.configurable) {
      defineProperty(object, key, {
        ...descriptor,
        get: get && replaced(`get ${name}`, get),
        set: set && replaced(`set ${name}`, set),
      });
    }
  }
  replaceAll(getPrototypeOf(object), `${path}.__proto__`);
}

// What is loaded when it is used is not replaced before: to find it is to load it.
function isLate(get) {
  return get?.name === "get" || get?.name === "";
}

const AsyncFunction = (async () => {}).constructor;
const roots = {
  iterator: [][Symbol.iterator](),
  mapIterator: new Map()[Symbol.iterator](),
  setIterator: new Set()[Symbol.iterator](),
  stringIterator: ""[Symbol.iterator](),
  regExpIterator: "".matchAll(/x/g),
  generator: (function* () {})(),
  asyncGenerator: (async function* () {})(),
  AsyncFunction,
  typedArray: getPrototypeOf(Uint8Array),
};
const uses = await import("./_uses.js");
const session = await import("./_session.js");
replaceAll(globalThis, "globalThis");
for (const name in roots) replaceAll(roots[name], name);

isWatching = true;
await uses.run();
try {
  await session.run();
} catch (error) {
  // A worker may not listen.
  if (!(error instanceof Deno.errors.NotCapable)) throw error;
}
isWatching = false;

for (const report of reports) log(report);
if (reports.size > 0) {
  escaped("calls of what a script can replace", reports.size);
}
done();
