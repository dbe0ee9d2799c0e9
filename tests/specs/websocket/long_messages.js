// flags: --allow-net
// Long messages in any order with short ones, more than the kernel takes at once, to a peer
// that reads late. bufferedAmount counts all of them until the turn is over.
import { assert, assertEquals, once } from "../_assert.js";
import { serveSockets } from "../_server.js";

const SIZES = [5, 65536, 20000, 0, 3e6, 65535, 1, 1 << 20, 300, 5e6, 70000];
const bytes = (size) => new Uint8Array(size).map((_, i) => i * 31 + size);
const sent = SIZES.map((size, i) =>
  i % 3 === 2 ? "é€a".repeat(size / 6) : bytes(size)
);
const lengthOf = (data) =>
  typeof data === "string"
    ? new TextEncoder().encode(data).length
    : data.byteLength;
const total = sent.map(lengthOf).reduce((sum, length) => sum + length);

const amounts = [];
const drained = Promise.withResolvers();
const server = serveSockets((socket) => {
  socket.onmessage = () => {
    for (const data of sent) {
      const before = socket.bufferedAmount;
      socket.send(data);
      amounts.push(socket.bufferedAmount - before);
    }
    amounts.push(socket.bufferedAmount);
    const wait = () => {
      if (socket.bufferedAmount > 0) setTimeout(wait);
      else drained.resolve();
    };
    wait();
  };
});
const socket = new WebSocket(server.url);
socket.binaryType = "arraybuffer";
await once(socket, "open");
for (let round = 0; round < 3; round++) {
  amounts.length = 0;
  const received = [];
  const all = Promise.withResolvers();
  socket.onmessage = ({ data }) => {
    received.push(data);
    if (received.length === sent.length) all.resolve();
  };
  socket.send("go");
  await all.promise;
  await drained.promise;
  assertEquals(amounts, [...sent.map(lengthOf), total]);
  for (const [i, data] of received.entries()) {
    if (typeof sent[i] === "string") {
      assert(data === sent[i], `text ${i}`);
    } else {
      const back = new Uint8Array(data);
      assertEquals(back.length, sent[i].length);
      assert(back.every((byte, at) => byte === sent[i][at]), `binary ${i}`);
    }
  }
}
socket.close();
await once(socket, "close");
await server.stop();
console.log("ok");
