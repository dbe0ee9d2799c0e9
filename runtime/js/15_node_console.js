// What node:console asks of the global scope, by the name that deno_node knows it by.

import { internals } from "ext:core/mod.js";

const windowOrWorkerGlobalScope = {
  __proto__: null,
  console: { __proto__: null, value: internals.globalConsole() },
};

export { windowOrWorkerGlobalScope };
