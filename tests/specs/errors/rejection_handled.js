// What an `unhandledrejection` listener prevents does not end the script.
import { assertEquals } from "../_assert.js";

const seen = [];
addEventListener("unhandledrejection", (event) => {
  event.preventDefault();
  seen.push(event.reason);
});
Promise.reject("one");
Promise.reject("in time").catch(() => {});
await new Promise((resolve) => setTimeout(resolve, 1));
assertEquals(seen, ["one"]);
console.log("ok");
