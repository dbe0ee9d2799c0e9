// flags: --allow-net --v8-flags=--expose-gc
// engine: v8
// deno: WebSocketStream needs --unstable-net
// What the script does not hold: a stream that something can come of lives on,
// one that nobody can read any more ends its connection.
import { assert, assertEquals, once } from "../_assert.js";
import { rawWebSocketServer } from "../_raw.js";
import { serveSockets } from "../_server.js";

/** Collects, and lets finalizers run. */
async function collect() {
  for (let i = 0; i < 5; i++) {
    await new Promise((next) => setTimeout(next, 0));
    globalThis.gc();
  }
}

let socket;
const server = serveSockets((it) => socket = it);

// Held by nobody but its readers: each message still comes.
{
  const received = [];
  const done = Promise.withResolvers();
  await (async () => {
    const { readable } = await new WebSocketStream(server.url).opened;
    (async () => {
      for await (const chunk of readable) received.push(chunk);
      done.resolve();
    })();
  })();
  for (let i = 0; i < 3; i++) {
    await collect();
    socket.send(`${i}`);
  }
  await collect();
  socket.close();
  await done.promise;
  assertEquals(received, ["0", "1", "2"]);
}

// Held by nobody at all, but somebody waits for its end.
{
  const end = await (async () => {
    const stream = new WebSocketStream(server.url);
    await stream.opened;
    return [stream.closed];
  })();
  await collect();
  assertEquals(socket.readyState, WebSocket.OPEN);
  socket.close(3000, "bye");
  assertEquals(await end[0], { closeCode: 3000, reason: "bye" });
}

// Held by a write that waits.
{
  const go = Promise.withResolvers();
  const peer = rawWebSocketServer(async (conn) => {
    await go.promise;
    for (const chunk = new Uint8Array(65536); await conn.read(chunk) !== null;);
  });
  const write = await (async () => {
    const { writable } = await new WebSocketStream(peer.url).opened;
    const writer = writable.getWriter();
    const write = writer.write(new Uint8Array(32 << 20));
    write.then(() => writer.close()).catch(() => {});
    return [write];
  })();
  await collect();
  go.resolve();
  await write[0];
  await peer.done;
}

// Nobody can read what has come: the connection is closed, without a code, and
// who waits for that is told.
{
  const end = await (async () => {
    const stream = new WebSocketStream(server.url);
    await stream.opened;
    return [stream.closed];
  })();
  const closed = once(socket, "close");
  for (let i = 0; i < 10; i++) socket.send("unread");
  while (socket.readyState === WebSocket.OPEN) await collect();
  assertEquals((await closed).code, 1005);
  assertEquals(await end[0], { closeCode: 1005, reason: "" });
}

// Not so while one of the streams can be reached.
for (const half of ["readable", "writable"]) {
  const held = await (async () => {
    const stream = new WebSocketStream(server.url);
    return (await stream.opened)[half];
  })();
  for (let i = 0; i < 10; i++) socket.send("unread");
  await collect();
  await collect();
  assertEquals(socket.readyState, WebSocket.OPEN);
  const closed = once(socket, "close");
  await (half === "readable" ? held.cancel() : held.abort());
  await closed;
}

// Many of them leave nothing behind.
{
  const churn = async (count) => {
    for (let i = 0; i < count; i++) {
      const stream = new WebSocketStream(server.url);
      const { writable } = await stream.opened;
      await writable.getWriter().write(new Uint8Array(1000));
      stream.close();
      await stream.closed;
    }
    await collect();
    return Deno.memoryUsage().heapUsed;
  };
  await churn(100);
  const before = await churn(100);
  const after = await churn(500);
  assert(after < before + (1 << 20), `${before} -> ${after}`);
}
await server.stop();
console.log("ok");
