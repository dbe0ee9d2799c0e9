// exit: 5
// stdout: exiting
// The process exits while workers run, wait and start.
import { inline, received } from "../_worker.js";

const busy = inline("postMessage(1); for (;;);");
const idle = inline("postMessage(1);");
const waiting = inline(
  `
  Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, () => {});
`,
  { name: "denied" },
);
waiting.onerror = (event) => event.preventDefault();
waiting.terminate();
await Promise.all([received(busy), received(idle)]);
inline("for (;;);");
console.log("exiting");
Deno.exit(5);
