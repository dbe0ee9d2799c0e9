// engine: v8
// flags: --allow-read
// `require` in an ES module: of packages, of ES modules, and what is not there.
import { createRequire } from "node:module";
import process from "node:process";
import { assert, assertEquals, assertThrows } from "../_assert.js";

const require = createRequire(import.meta.url);
assertEquals(require("dual").how, "require");
assertEquals(require("cjs-main").other, 7);
assertEquals(require("esm-only").default, "esm");
assert(require("node:process") === process);
assert(require("fs/promises") === require("node:fs").promises);
assert(require.resolve("cjs-main").endsWith("/cjs-main/lib/main.js"));

let error = assertThrows(() => require("nonesuch"), "Error");
assertEquals(error.code, "MODULE_NOT_FOUND");
error = assertThrows(() => require("cjs-main/broken.json"), "SyntaxError");
assert(error.message.includes("cjs-main/broken.json"), error.message);
error = assertThrows(() => require("./_nonesuch.node"), "Error");
assertEquals(error.code, "MODULE_NOT_FOUND");
console.log("ok");
