// stderr: error: Uncaught (in worker "") Error: for all
// stderr: [*]
// stdout: ok
// The owner's global object may handle what is in a worker's script.
import { inline } from "../_worker.js";

addEventListener("error", (event) => {
  event.preventDefault();
  console.log(event.message === "Uncaught Error: for all" ? "ok" : event);
});
inline("setTimeout(() => { throw new Error('for all'); });");
