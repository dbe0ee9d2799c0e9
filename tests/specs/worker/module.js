// flags: --allow-read
// A module worker from a file: imports, name, location, messages both ways;
// TypeScript too.
import { assertEquals } from "../_assert.js";
import { received } from "../_worker.js";

const url = new URL("./_lib/echo.js", import.meta.url);
const worker = new Worker(url, { type: "module", name: "echo" });
worker.postMessage("first");
assertEquals(await received(worker), {
  href: url.href,
  url: url.href,
  main: true,
  name: "echo",
  strict: true,
});
assertEquals(await received(worker), "<first>");
worker.postMessage("second");
assertEquals(await received(worker), "<second>");
worker.terminate();

const typed = new Worker(new URL("./_lib/typed.ts", import.meta.url), {
  type: "module",
});
typed.postMessage([1, 2, 3]);
assertEquals(await received(typed), { sum: 6 });
typed.terminate();
console.log("ok");
