// flags: --allow-read
// deno: loads it
// A native add-on takes a permission, and is refused by name with it.
import { createRequire } from "node:module";
import { assertEquals, assertThrows } from "../_assert.js";

const require = createRequire(import.meta.url);
const error = assertThrows(() => require("./_addon.node"), "NotCapable");
assertEquals(error.message.includes("--allow-ffi"), true);
console.log("ok");
