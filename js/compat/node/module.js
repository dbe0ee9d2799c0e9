// node:module

import { createRequire } from "node:internal/commonjs";
import { builtinModules } from "node:internal/commonjs";

function isBuiltin(name) {
  return builtinModules.includes(name.replace(/^node:/, ""));
}

export default { builtinModules, createRequire, isBuiltin };
export { builtinModules, createRequire, isBuiltin };
