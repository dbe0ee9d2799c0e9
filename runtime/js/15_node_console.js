// The part of the global scope that node:console needs, under the name that
// deno_node expects.

import { internals } from "ext:core/mod.js";

const windowOrWorkerGlobalScope = {
  __proto__: null,
  console: { __proto__: null, value: internals.globalConsole() },
};

export { windowOrWorkerGlobalScope };
