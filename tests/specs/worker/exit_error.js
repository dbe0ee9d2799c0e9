// exit: 1
// stderr: error: Uncaught [*]Error: the owner fails
// stderr: [*]
// A program that ends by an error ends its workers, busy ones too.
import { inline, received } from "../_worker.js";

const busy = inline("postMessage(1); for (;;);");
await received(busy);
throw new Error("the owner fails");
