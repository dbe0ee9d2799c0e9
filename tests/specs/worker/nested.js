// stderr: error: Uncaught (in worker "inner") Error: deep
// stderr: [*]
// stderr: error: Uncaught (in worker "outer") (in promise) Error: Unhandled error in child worker.
// stderr: [*]
// stdout: ok
// deno: waits for ever for a worker that is busy
// Workers make workers; their errors come up, and they end with their owner.
import { assert, assertEquals, once } from "../_assert.js";
import { failed, inline, received } from "../_worker.js";

const data = (text) => `data:text/javascript,${encodeURIComponent(text)}`;
const innermost = data("onmessage = (e) => postMessage(e.data + 'c');");
const middle = data(`
  const inner = new Worker(${JSON.stringify(innermost)}, { type: "module" });
  inner.onmessage = (e) => postMessage(e.data);
  onmessage = (e) => inner.postMessage(e.data + "b");
`);
const outer = inline(`
  const inner = new Worker(${JSON.stringify(middle)}, { type: "module" });
  inner.onmessage = (e) => postMessage(e.data);
  onmessage = (e) => inner.postMessage(e.data + "a");
`);
outer.postMessage("");
assertEquals(await received(outer), "abc");
outer.terminate();

const failing = data("setTimeout(() => { throw new Error('deep'); });");
const event = await failed(inline(
  `new Worker(${JSON.stringify(failing)}, { type: "module", name: "inner" });`,
  { name: "outer" },
));
assert(event.message.endsWith("Error: Unhandled error in child worker."));

// The inner worker holds a port: that the other end hears of its end shows that
// it went with its owner.
const busy = data(`
  onmessage = ({ ports: [port] }) => {
    const socket = new BroadcastChannel("nested");
    socket.postMessage("busy");
    for (;;);
  };
`);
const owner = inline(`
  const inner = new Worker(${JSON.stringify(busy)}, { type: "module" });
  onmessage = ({ ports }) => inner.postMessage(null, ports);
`);
const broadcast = new BroadcastChannel("nested");
const { port1, port2 } = new MessageChannel();
owner.postMessage(null, [port2]);
await once(broadcast, "message");
broadcast.close();
// Keeps this program alive until the inner worker is gone.
port1.start();
owner.terminate();
console.log("ok");
