// What the runtime is made of must not be in a program's hands.

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
    // As it should be.
  }
  assert(imported === undefined, `${specifier} can be imported`);
}
