// `process.stdin` is there, also where nothing is to be read.
import process, { stdin } from "node:process";
import { assertEquals } from "../_assert.js";

assertEquals(process.stdin, stdin ?? process.stdin);
let text = "";
for await (const chunk of process.stdin) {
  text += chunk;
}
assertEquals(text, "");
console.log("ok");
