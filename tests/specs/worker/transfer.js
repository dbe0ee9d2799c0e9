// What is transferred: an ArrayBuffer moves, a MessagePort works at its new place, in both
// directions and from worker to worker.
import { assert, assertEquals, assertThrows, once } from "../_assert.js";
import { inline, received } from "../_worker.js";

const mirror = inline(`
  onmessage = ({ data, ports }) => {
    if (ports.length > 0) {
      const [port] = ports;
      port.onmessage = ({ data }) => port.postMessage([data, "mirrored"]);
      postMessage("ready");
    } else {
      postMessage(data, { transfer: [data.buffer] });
    }
  };
`);

const bytes = new Uint8Array([1, 2, 3]);
mirror.postMessage(bytes, [bytes.buffer]);
assertEquals(bytes.length, 0);
assertEquals(await received(mirror), new Uint8Array([1, 2, 3]));

const { port1, port2 } = new MessageChannel();
mirror.postMessage("port", { transfer: [port2] });
assertEquals(await received(mirror), "ready");
port1.start();
port1.postMessage("a");
port1.postMessage("b");
assertEquals(await received(port1), ["a", "mirrored"]);
assertEquals(await received(port1), ["b", "mirrored"]);

// The other end of a port in a worker that ends is at its end too: nothing hangs.
mirror.terminate();

const left = inline(`
  onmessage = ({ ports: [port] }) => {
    port.postMessage("from left");
    port.onmessage = ({ data }) => postMessage(data);
  };
`);
const right = inline(`
  onmessage = ({ ports: [port] }) => {
    port.onmessage = ({ data }) => port.postMessage(data + " by right");
  };
`);
const channel = new MessageChannel();
left.postMessage(null, [channel.port1]);
right.postMessage(null, [channel.port2]);
assertEquals(await received(left), "from left by right");

// A worker hands out a port of its own.
const giver = inline(`
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = ({ data }) => postMessage(data);
  postMessage(null, [port2]);
`);
const { ports } = await once(giver, "message");
ports[0].postMessage("through the port");
assertEquals(await received(giver), "through the port");

const detached = new ArrayBuffer(1);
giver.postMessage(null, [detached]);
for (
  const transfer of [
    [detached],
    [{}],
    [ports[0], ports[0]],
    [channel.port1],
  ]
) {
  assertThrows(() => giver.postMessage(null, transfer), "DataCloneError");
}
assertThrows(() => giver.postMessage(null, 1), "TypeError");
assert(ports[0] instanceof MessagePort);
for (const worker of [left, right, giver]) worker.terminate();
console.log("ok");
