// flags: --allow-net
// deno: there is no pause()
// pause() has nothing more read, so that the network holds up the peer, on either end.
import { assert, assertEquals, once } from "../_assert.js";
import { serveSockets } from "../_server.js";

const MESSAGE = new Uint8Array(1 << 20);
const COUNT = 48;

const accepted = [];
const waiting = [];
const server = serveSockets((socket) => {
  socket.binaryType = "arraybuffer";
  socket.onopen = () => {
    const next = waiting.shift();
    next === undefined ? accepted.push(socket) : next(socket);
  };
}, { idleTimeout: 0 });
const nextAccepted = () =>
  accepted.length > 0
    ? Promise.resolve(accepted.shift())
    : new Promise((resolve) => waiting.push(resolve));

async function pair(prepare = () => {}) {
  const client = new WebSocket(server.url);
  client.binaryType = "arraybuffer";
  prepare(client);
  const opened = once(client, "open");
  const accepted = await nextAccepted();
  await opened;
  return { client, accepted };
}

// Long enough for whatever could be read to be read: other sockets have their turns.
async function others() {
  for (let i = 0; i < 20; i++) {
    const { client, accepted } = await pair();
    const message = once(client, "message");
    accepted.send("turn");
    await message;
    client.close();
    await once(client, "close");
  }
}

/** More than the network holds goes from one to the other, which has paused. */
async function holdsUp(from, to) {
  let received = 0;
  to.onmessage = ({ data }) => {
    assertEquals(new Uint8Array(data)[0], received);
    received++;
    if (received === 1) {
      to.pause();
      assert(to.isPaused);
    }
  };
  for (let i = 0; i < COUNT; i++) {
    MESSAGE[0] = i;
    from.send(MESSAGE);
  }
  const all = from.bufferedAmount;
  while (received === 0) await others();
  await others();
  assert(received < COUNT / 2, `${received} messages came`);
  assert(from.bufferedAmount > 0);
  assert(all > 0);
  const seen = received;
  await others();
  assertEquals(received, seen);
  to.resume();
  assert(!to.isPaused);
  while (received < COUNT) await once(to, "message");
  assertEquals(received, COUNT);
  to.onmessage = null;
}

{
  const { client, accepted } = await pair();
  await holdsUp(accepted, client);
  await holdsUp(client, accepted);
  // Twice is once, and to resume what runs is nothing.
  client.pause();
  client.pause();
  client.resume();
  client.resume();
  const message = once(client, "message");
  accepted.send("still here");
  assertEquals((await message).data, "still here");
  client.close();
  await once(client, "close");
  assert(!client.isPaused);
  client.pause();
  assert(!client.isPaused);
}

{
  // Before there is a connection.
  const { client, accepted } = await pair((client) => {
    client.pause();
    assert(client.isPaused);
  });
  let received = 0;
  client.onmessage = () => received++;
  accepted.send("waits");
  await others();
  assertEquals(received, 0);
  const message = once(client, "message");
  client.resume();
  assertEquals((await message).data, "waits");

  // A paused socket hears no Pong, and closes all the same: what came before is dropped.
  client.pause();
  accepted.send("never read");
  client.close(3000, "enough");
  const { code, wasClean } = await once(client, "close");
  assertEquals([code, wasClean, received], [3000, true, 1]);
}

{
  // It does not hear of the end before it reads again.
  const { client, accepted } = await pair();
  client.pause();
  let isClosed = false;
  client.onclose = () => isClosed = true;
  accepted.close(3001);
  await others();
  assert(!isClosed);
  assertEquals(client.readyState, WebSocket.OPEN);
  client.resume();
  assertEquals((await once(client, "close")).code, 3001);

  const paused = await pair();
  paused.client.pause();
  paused.client.terminate();
  assertEquals((await once(paused.client, "close")).code, 1006);
}

await server.stop();
console.log("ok");
