// A program must not be able to reach the internals of the runtime.

function assert(condition, message) {
  if (!condition) {
    throw new Error(message);
  }
}

assert(!("core" in Deno), "Deno.core");
assert(!("__bootstrap" in globalThis), "__bootstrap");
assert(!("bootstrap" in globalThis), "bootstrap");
assert(!("__proto__" in Object.prototype), "__proto__");
for (const key of Reflect.ownKeys(Deno)) {
  assert(typeof key === "string", `a symbol on Deno: ${String(key)}`);
}

for (
  const specifier of [
    "ext:core/ops",
    "ext:core/mod.js",
    "ext:deno_web/02_event.js",
    "ext:duplex_runtime/90_main.js",
  ]
) {
  let imported;
  try {
    imported = await import(specifier);
  } catch {
    // The import must fail.
  }
  assert(imported === undefined, `${specifier} can be imported`);
}
