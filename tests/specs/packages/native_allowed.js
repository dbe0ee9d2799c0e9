// flags: --allow-read --allow-ffi
// deno: loads it
// With the permission, a native add-on is refused by name.
import { createRequire } from "node:module";
import { assertThrows } from "../_assert.js";

const require = createRequire(import.meta.url);
assertThrows(() => require("./_addon.node"), "NotSupported", "Native add-ons");
console.log("ok");
