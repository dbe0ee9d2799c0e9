// `data:` modules, JavaScript and TypeScript, plain and in base64.
import { assertEquals } from "../_assert.js";
import plain from "data:text/javascript,export default 'plain'";
import { n } from "data:application/typescript,export const n: number = 1;";
import base64 from "data:text/javascript;base64,ZXhwb3J0IGRlZmF1bHQgNjQ=";

assertEquals([plain, n, base64], ["plain", 1, 64]);
const json = await import('data:application/json,{"a":1}', {
  with: { type: "json" },
});
assertEquals(json.default, { a: 1 });
console.log("ok");
