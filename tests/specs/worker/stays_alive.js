// A worker keeps its owner alive until it ends, though neither has anything to do
// but wait for the other.
import { inline, received } from "../_worker.js";

const worker = inline(`
  onmessage = () => { postMessage("ok"); close(); };
  postMessage("up");
`);
received(worker).then(() => {
  worker.onmessage = (event) => console.log(event.data);
  // Nothing refers to the worker now but its thread.
  setTimeout(() => worker.postMessage("close"), 10);
});
