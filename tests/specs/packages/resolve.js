// Packages of a node_modules folder, by name: exports, main, CommonJS with names.
import { assert, assertEquals, assertRejects } from "../_assert.js";
import cjs, { isBuffer, named, other } from "cjs-main";
import data from "cjs-main/data.json" with { type: "json" };
import { how } from "dual";
import esm, { sub, url } from "esm-only";
import * as direct from "esm-only/sub";
import local from "#local";
import { readFile } from "fs/promises";
import promises from "node:fs/promises";

assertEquals([esm, sub, direct.sub], ["esm", "sub", "sub"]);
assert(url.endsWith("/packages/node_modules/esm-only/index.js"));
assertEquals([named, other, cjs.named], ["named", 7, "named"]);
assertEquals(
  cjs.filename,
  `${import.meta.dirname}/node_modules/cjs-main/lib/main.js`,
);
assertEquals(isBuffer(Buffer.from("a")), true);
assertEquals(data.value, 7);
assertEquals(how, "deno");
assertEquals(local, "local");
assert(readFile === promises.readFile);
assertEquals(
  import.meta.resolve("esm-only/sub"),
  new URL("lib/sub.js", url).href,
);

await assertRejects(import("esm-only/lib/hidden.js"), "TypeError", "hidden");
await assertRejects(import("node:nonesuch"), "TypeError", "node:nonesuch");
await assertRejects(import("node:internal/errors"), "TypeError", "built-in");
await assertRejects(import("node:deno_std/http"), "TypeError", "built-in");
await assertRejects(import("ext:deno_node/_utils.ts"), "TypeError");
console.log("ok");
