// deno: waits for ever for a worker that waits
// A SharedArrayBuffer is shared, not copied, and so are the two ends of a
// BroadcastChannel.
import { assertEquals, once } from "../_assert.js";
import { inline, received } from "../_worker.js";

const shared = new Int32Array(new SharedArrayBuffer(8));
const worker = inline(`
  onmessage = ({ data }) => {
    Atomics.store(data, 0, 42);
    postMessage("stored");
    Atomics.wait(data, 1, 0);
    postMessage(Atomics.load(data, 1));
  };
`);
worker.postMessage(shared);
assertEquals(await received(worker), "stored");
assertEquals(Atomics.load(shared, 0), 42);
Atomics.store(shared, 1, 7);
Atomics.notify(shared, 1);
assertEquals(await received(worker), 7);
worker.terminate();

const channel = new BroadcastChannel("test");
const other = inline(`
  const channel = new BroadcastChannel("test");
  channel.onmessage = ({ data }) => channel.postMessage(data + 1);
  postMessage("listening");
`);
assertEquals(await received(other), "listening");
channel.postMessage(1);
assertEquals((await once(channel, "message")).data, 2);
channel.close();
other.terminate();

// What waits for shared memory is terminated as well.
const waiting = inline(`
  postMessage("waiting");
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
`);
assertEquals(await received(waiting), "waiting");
waiting.terminate();
console.log("ok");
