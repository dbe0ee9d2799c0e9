// Properties whose values load when they are first used. What a program does
// not touch, it does not pay for at start-up.

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

// Defines `target[name]` so that reading it calls `load` and makes the
// property a plain one with the answer. Assigning to it does what assigning to
// a writable data property does. With `late`, `materialize` leaves it alone.
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

// Loads what is still pending. For snapshots, where loading costs the start
// of a program next to nothing.
function materialize() {
  for (let i = 0; i < pending.length; i++) {
    pending[i]();
  }
  pending.length = 0;
}

export { defineLazy, defineValue, materialize };
