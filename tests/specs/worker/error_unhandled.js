// exit: 1
// stdout: [object ErrorEvent] Uncaught Error: nobody
// stdout: global Uncaught Error: nobody
// stderr: error: Uncaught (in worker "lost") Error: nobody
// stderr: [*]
// stderr: error: Uncaught (in promise) Error: Unhandled error in child worker.
// stderr: [*]
// An error that nobody handles ends the owner too.
import { inline } from "../_worker.js";

const worker = inline("setTimeout(() => { throw new Error('nobody'); });", {
  name: "lost",
});
worker.onerror = (event) => console.log(String(event), event.message);
addEventListener("error", (event) => console.log("global", event.message));
setTimeout(() => console.log("still there"), 60_000);
