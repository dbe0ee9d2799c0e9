// flags: --allow-net
// deno: has no limits
// Blobs that are queued, and what waits for them, count for backpressureLimit.
import { assert, assertEquals, once } from "../_assert.js";
import { serveSockets } from "../_server.js";

const LIMIT = 1 << 20;

async function open(options) {
  const accepted = Promise.withResolvers();
  const server = serveSockets((socket) => accepted.resolve(socket), {
    backpressureLimit: LIMIT,
    ...options,
  });
  const client = new WebSocket(server.url);
  const socket = await accepted.promise;
  await once(client, "open");
  return { client, server, socket };
}

{
  const { client, server, socket } = await open({
    closeOnBackpressureLimit: false,
  });
  let received = 0;
  client.onmessage = () => received++;
  socket.send(new Blob(["first"]));
  let taken = 1;
  while (socket.send("") !== 0) taken++;
  // Not as many as there are bytes: an empty message is held, too.
  assert(taken > 1000 && taken < 100_000, taken);
  assertEquals(socket.send(new Blob(["refused"])), 0);
  await once(socket, "drain");
  assertEquals(socket.bufferedAmount, 0);
  socket.send(new Blob(["last"]));
  const closed = once(client, "close");
  socket.close();
  await closed;
  assertEquals(received, taken + 1);
  await server.stop();
}

{
  const { client, server, socket } = await open({});
  const error = once(socket, "error");
  const closed = once(client, "close");
  const blob = new Blob([new Uint8Array(LIMIT / 2)]);
  for (let i = 0; i < 4; i++) socket.send(blob);
  assertEquals(
    (await error).message,
    `queued messages exceed backpressureLimit (${LIMIT} bytes)`,
  );
  assertEquals((await closed).code, 1008);
  await server.stop();
}
console.log("ok");
