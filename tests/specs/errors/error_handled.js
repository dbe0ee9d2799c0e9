// What an `error` listener prevents does not end the script.
import { assert, assertEquals } from "../_assert.js";

const seen = [];
addEventListener("error", (event) => {
  event.preventDefault();
  assert(event.lineno > 0 && event.filename.endsWith("error_handled.js"));
  seen.push(event.error.message);
});
setTimeout(() => {
  throw new Error("thrown");
}, 0);
await new Promise((resolve) => setTimeout(resolve, 5));
reportError(new Error("reported"));
assertEquals(seen, ["thrown", "reported"]);
console.log("ok");
