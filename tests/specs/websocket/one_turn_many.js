// flags: --allow-net
// What one turn sends to more sockets than the kernel is handed at a time: each gets its
// own, in order, beside one that does not read and one whose peer has gone.
import { assert, assertEquals, once } from "../_assert.js";
import { rawClient } from "../_raw.js";
import { serveSockets } from "../_server.js";

const COUNT = 300;
const sockets = [];
const all = Promise.withResolvers();
const server = serveSockets((socket) => {
  socket.onopen = () => {
    sockets.push(socket);
    if (sockets.length === COUNT) all.resolve();
  };
});
const peers = await Promise.all(
  Array.from({ length: COUNT }, () => rawClient(server.port)),
);
await all.promise;

// The first to connect need not be the first to open: they are told who they are.
for (const [i, socket] of sockets.entries()) socket.send(String(i));
const names = await Promise.all(
  peers.map(async ({ reader }) =>
    Number(new TextDecoder().decode((await reader.frame()).payload))
  ),
);
assertEquals([...names].sort((a, b) => a - b), [...sockets.keys()]);

const silent = sockets[names[0]];
silent.send(new Uint8Array(16 << 20));
peers[1].conn.close();
const gone = once(sockets[names[1]], "close");

for (let round = 0; round < 3; round++) {
  for (const [i, socket] of sockets.entries()) {
    socket.send(`${i}/${round}`);
    // Lengths on both sides of what is kept, copied and written at once.
    socket.send("x".repeat(1 + (i * 317) % 9000));
  }
  await new Promise((done) => setTimeout(done));
}
await Promise.all(
  peers.slice(2).map(async ({ reader }, k) => {
    const i = names[k + 2];
    for (let round = 0; round < 3; round++) {
      const { payload } = await reader.frame();
      assertEquals(new TextDecoder().decode(payload), `${i}/${round}`);
      assertEquals((await reader.frame()).payload.length, 1 + (i * 317) % 9000);
    }
  }),
);
await gone;
assert(silent.bufferedAmount > 0);

// And now it reads.
const { reader } = peers[0];
assertEquals((await reader.frame()).payload.length, 16 << 20);
for (let round = 0; round < 3; round++) {
  const { payload } = await reader.frame();
  assertEquals(new TextDecoder().decode(payload), `${names[0]}/${round}`);
  await reader.frame();
}
for (const { conn } of peers.toSpliced(1, 1)) conn.close();
await server.stop();
console.log("ok");
