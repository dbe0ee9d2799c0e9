// deno_core's `core`, with the ops, `internals` and `primordials`. The other files take them from
// here, because an embedder may have to replace this file: deno_runtime removes the ops from
// `core` before it runs a program, and so from the modules that are loaded later.

import { core, internals, primordials } from "ext:core/mod.js";

export { core, internals, primordials };
