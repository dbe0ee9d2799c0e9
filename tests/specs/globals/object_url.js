// URL.createObjectURL is there before anything of Blob is.
import { assert, assertEquals } from "../_assert.js";

const url = URL.createObjectURL(new Blob(["blob"]));
assert(url.startsWith("blob:"));
assertEquals(await (await fetch(url)).text(), "blob");
URL.revokeObjectURL(url);
const { writable, enumerable, configurable } = Object.getOwnPropertyDescriptor(
  URL,
  "createObjectURL",
);
assertEquals([writable, enumerable, configurable], [true, true, true]);
console.log("ok");
