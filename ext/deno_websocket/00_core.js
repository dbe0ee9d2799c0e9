// In the place of duplex_websocket's file of this name: a `core` that has the ops, because
// deno_runtime removes them from the one of modules before it runs a program.

import { core as bare } from "ext:core/mod.js";

const { core, internals, primordials } = bare.loadExtScript(
  "ext:deno_websocket/00_bootstrap.js",
);

export { core, internals, primordials };
