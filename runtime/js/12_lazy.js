// Properties whose values are loaded when they are first used, so that they
// cost a program that does not use them nothing at start-up.

import { primordials } from "ext:core/mod.js";
const {
  ArrayPrototypePush,
  ObjectDefineProperty,
  ObjectGetOwnPropertyDescriptor,
  ObjectHasOwn,
} = primordials;

const pending = [];

function defineValue(target, name, value, enumerable) {
  ObjectDefineProperty(target, name, {
    __proto__: null,
    value,
    writable: true,
    enumerable,
    configurable: true,
  });
}

// Defines `target[name]` so that reading it calls `load`, and makes the
// property a plain data property with the result. Assigning to it does the same
// as for a writable data property. With `late`, `materialize` does not load it.
function defineLazy(
  target,
  name,
  load,
  { enumerable = true, late = false } = { __proto__: null },
) {
  function get() {
    const value = load();
    if (ObjectGetOwnPropertyDescriptor(target, name)?.get === get) {
      defineValue(target, name, value, enumerable);
    }
    return value;
  }
  ObjectDefineProperty(target, name, {
    __proto__: null,
    get,
    set(value) {
      const own = this === target || ObjectHasOwn(this, name);
      defineValue(this, name, value, own ? enumerable : true);
    },
    enumerable,
    configurable: true,
  });
  if (!late) {
    ArrayPrototypePush(pending, get);
  }
}

// Loads the properties that are still pending. This is for snapshots, because
// loading from a snapshot costs the start of a program almost nothing.
function materialize() {
  for (let i = 0; i < pending.length; i++) {
    pending[i]();
  }
  pending.length = 0;
}

export { defineLazy, defineValue, materialize };
