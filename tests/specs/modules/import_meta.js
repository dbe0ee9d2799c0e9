// flags: --allow-read
// args: one --two -3
// import.meta and Deno.args.
import { assertEquals } from "../_assert.js";

const here = new URL(".", import.meta.url);
assertEquals(import.meta.url.startsWith("file:///"), true);
assertEquals(import.meta.main, true);
assertEquals(import.meta.filename, new URL(import.meta.url).pathname);
assertEquals(`${import.meta.dirname}/`, here.pathname);
assertEquals(import.meta.resolve("./a/../x.js"), `${here}x.js`);
assertEquals(Deno.mainModule, import.meta.url);
assertEquals(Deno.args, ["one", "--two", "-3"]);
const other = await import(
  "data:text/javascript,export const { main, url, filename } = import.meta"
);
assertEquals(other.main, false);
assertEquals(other.url.startsWith("data:"), true);
assertEquals(other.filename, undefined);
console.log("ok");
