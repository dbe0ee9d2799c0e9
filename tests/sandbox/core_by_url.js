// No text of a script runs as the runtime's own, whatever URL the script makes its files
// appear under.
import { done, escaped, isInternal } from "./_attempt.js";

const href = Object.getOwnPropertyDescriptor(URL.prototype, "href");
const toString = URL.prototype.toString;
const { entries, keys, assign } = Object;
const { statSync, readTextFileSync } = Deno;
for (const evil of ["ext:evil/x.js", "node:internal/evil", "checkin:evil"]) {
  let promise;
  try {
    Deno.statSync = () => ({ isFile: true });
    Deno.readTextFileSync = () =>
      "module.exports = () => import('ext:core/mod.js')";
    Object.defineProperty(URL.prototype, "href", { ...href, get: () => evil });
    URL.prototype.toString = () => evil;
    const { createRequire } = await import("node:module");
    const require = createRequire("/x.js");
    const run = require("./evil.js");
    Object.defineProperty(URL.prototype, "href", href);
    URL.prototype.toString = toString;
    const attempt = (original) => (value, ...rest) => {
      promise ??= run();
      return original(value, ...rest);
    };
    Object.entries = attempt(entries);
    Object.keys = attempt(keys);
    Object.assign = attempt(assign);
    for (
      const name of [
        "fs",
        "util",
        "http",
        "tls",
        "stream",
        "zlib",
        "child_process",
      ]
    ) {
      try {
        require(name);
      } catch {
        // Not there.
      }
    }
  } catch {
    // Refused.
  }
  Object.defineProperty(URL.prototype, "href", href);
  URL.prototype.toString = toString;
  assign(Object, { entries, keys, assign });
  assign(Deno, { statSync, readTextFileSync });
  try {
    const module = await promise;
    if (isInternal(module)) escaped("core", keys(module));
  } catch {
    // Refused.
  }
}
for (
  const name of ["__bootstrap", "bootstrap", "core", "internals", "primordials"]
) {
  if (name in globalThis) escaped("a global", name);
  if (name in Deno) escaped("a member of Deno", name);
}
done();
