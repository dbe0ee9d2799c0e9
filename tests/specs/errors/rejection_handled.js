// What an `unhandledrejection` listener prevents does not end the script.
import { assertEquals, once } from "../_assert.js";

const seen = [];
addEventListener("unhandledrejection", (event) => {
  event.preventDefault();
  seen.push(event.reason);
});
Promise.reject("one");
Promise.reject("in time").catch(() => {});
await once(globalThis, "unhandledrejection");
await new Promise((resolve) => setTimeout(resolve));
assertEquals(seen, ["one"]);
console.log("ok");
