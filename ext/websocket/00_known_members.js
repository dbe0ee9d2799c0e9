// Options that do not exist are refused by name, because a misspelt limit would
// not limit anything.

import { core, primordials } from "ext:duplex_websocket/00_core.js";

const {
  ArrayPrototypeJoin,
  ArrayPrototypePush,
  ObjectGetPrototypeOf,
  ObjectKeys,
  ObjectPrototype,
  TypeError,
} = primordials;

/**
 * Throws if options that are a plain object (`{ ... }`) have a member that is
 * not known. An instance of a class may have other members, which are ignored.
 *
 * @param {object} options
 * @param {Record<string, true | string>} known all options that exist; a string
 *   says why an option of another runtime does not exist here, and what to use
 * @param {string} prefix begins the message
 */
function checkMembers(options, known, prefix) {
  const prototype = ObjectGetPrototypeOf(options);
  if (prototype !== ObjectPrototype && prototype !== null) {
    return;
  }
  const names = ObjectKeys(options);
  for (let i = 0; i < names.length; i++) {
    const name = names[i];
    const is = known[name];
    if (is !== true && options[name] !== undefined) {
      throw new TypeError(`${prefix}: ${explain(name, is, known)}`);
    }
  }
}

function explain(name, why, known) {
  if (why !== undefined) {
    return `the option \`${name}\` is not supported: ${why}`;
  }
  const names = [];
  const all = ObjectKeys(known);
  for (let i = 0; i < all.length; i++) {
    if (known[all[i]] === true) {
      ArrayPrototypePush(names, all[i]);
    }
  }
  const nearest = core.ops.op_ws_nearest_name(name, names);
  return nearest === null || nearest === undefined
    ? `there is no option \`${name}\`; there are ${
      ArrayPrototypeJoin(names, ", ")
    }`
    : `there is no option \`${name}\`, did you mean \`${nearest}\`?`;
}

/** A table for `checkMembers` with `names` and the entries of `others`. */
function membersOf(names, others = { __proto__: null }) {
  const known = { __proto__: null, ...others };
  for (let i = 0; i < names.length; i++) {
    known[names[i]] = true;
  }
  return known;
}

export { checkMembers, membersOf };
