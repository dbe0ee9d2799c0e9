// What node:console asks of the global scope, by the name that deno_node knows it by.

import { console } from "ext:duplex_runtime/20_globals.js";

const windowOrWorkerGlobalScope = {
  __proto__: null,
  console: { __proto__: null, value: console() },
};

export { windowOrWorkerGlobalScope };
