// flags: --allow-net
// What stands behind a Blob, whose bytes are read asynchronously, is sent as it was when it was
// sent (WebSockets, send()), on both ends.
import { assertEquals, once } from "../_assert.js";
import { serveSockets } from "../_server.js";

function sendAll(socket) {
  const before = socket.bufferedAmount;
  socket.send(new Blob(["blob"]));
  const changed = new Uint8Array([1, 2, 3]);
  socket.send(changed);
  changed.fill(9);
  const transferred = new Uint8Array([4, 5, 6]);
  socket.send(transferred);
  transferred.buffer.transfer();
  const buffer = new Uint8Array([7, 8]).buffer;
  socket.send(buffer);
  structuredClone(buffer, { transfer: [buffer] });
  const view = new DataView(new Uint8Array([10, 11, 12]).buffer, 1);
  socket.send(view);
  view.buffer.transfer();
  socket.send("end");
  // Nothing has been written in this turn.
  assertEquals(socket.bufferedAmount - before, 4 + 3 + 3 + 2 + 2 + 3);
}

const EXPECTED = ["98,108,111,98", "1,2,3", "4,5,6", "7,8", "11,12", "end"];

async function receive(socket) {
  socket.binaryType = "arraybuffer";
  const received = [];
  await new Promise((resolve) => {
    socket.onmessage = ({ data }) => {
      received.push(
        typeof data === "string" ? data : `${new Uint8Array(data)}`,
      );
      if (data === "end") resolve();
    };
  });
  assertEquals(received, EXPECTED);
}

for (const perMessageDeflate of [false, true]) {
  const accepted = Promise.withResolvers();
  const server = serveSockets((socket) => accepted.resolve(socket), {
    perMessageDeflate,
  });
  const client = new WebSocket(server.url);
  const far = await accepted.promise;
  await once(client, "open");

  const arrived = receive(far);
  sendAll(client);
  await arrived;
  const back = receive(client);
  sendAll(far);
  await back;
  while (client.bufferedAmount + far.bufferedAmount > 0) {
    await new Promise((resolve) => setTimeout(resolve));
  }

  // The Close frame stands behind all of it, shutdown()'s too.
  const last = receive(client);
  const closed = once(client, "close");
  sendAll(far);
  await Promise.all([last, closed, server.stop()]);
  assertEquals((await closed).code, 1001);
}
console.log("ok");
