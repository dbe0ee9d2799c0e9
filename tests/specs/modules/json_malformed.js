// deno: does not name the module
// Malformed JSON is named with its place.
import { assertRejects } from "../_assert.js";

const url = "data:application/json,{ %22a%22: nope }";
await assertRejects(
  import(url, { with: { type: "json" } }),
  "SyntaxError",
  `at line 1 column 9\n  Specifier: ${url}`,
);
console.log("ok");
