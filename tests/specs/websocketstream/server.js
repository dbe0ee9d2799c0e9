// flags: --allow-net
// deno: has no Deno.upgradeWebSocketStream, and WebSocketStream needs --unstable-net
// The server's end as a stream.
import {
  assert,
  assertEquals,
  assertRejects,
  assertThrows,
  once,
} from "../_assert.js";
import { BINARY, frame, PING, PONG, rawClient, write } from "../_raw.js";

/** Serves `onstream(stream)`. */
function serveStreams(onstream, options) {
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    (request) => {
      const { stream, response } = Deno.upgradeWebSocketStream(
        request,
        options,
      );
      onstream(stream);
      return response;
    },
  );
  const { port } = server.addr;
  return {
    port,
    url: `ws://127.0.0.1:${port}/`,
    stop: () => server.shutdown(),
  };
}

// An echo of streams on both ends.
{
  const ends = [];
  const server = serveStreams(async (stream) => {
    assert(stream instanceof WebSocketStream);
    assertEquals(stream.url, "");
    const { readable, writable, protocol, extensions } = await stream.opened;
    assertEquals([protocol, extensions], ["b", "permessage-deflate"]);
    ends.push(stream.closed);
    // When the client closes there is nobody left to write to.
    await assertRejects(readable.pipeTo(writable), "InvalidStateError");
  }, { protocol: "b", perMessageDeflate: true });
  const client = new WebSocketStream(server.url, { protocols: ["a", "b"] });
  const { readable, writable, protocol } = await client.opened;
  assertEquals(protocol, "b");
  const writer = writable.getWriter();
  const reader = readable.getReader();
  for (const chunk of ["text", new Uint8Array([1, 2]), "x".repeat(1 << 20)]) {
    await writer.write(chunk);
    assertEquals((await reader.read()).value.length, chunk.length);
  }
  client.close({ closeCode: 4000, reason: "done" });
  const end = { closeCode: 4000, reason: "done" };
  assertEquals(await client.closed, end);
  assertEquals(await ends[0], end);
  await server.stop();
}

// A server may close with all codes that may stand on the wire.
{
  let theirs;
  const server = serveStreams(async (stream) => {
    theirs = stream;
    await stream.opened;
    assertThrows(() => stream.close({ closeCode: 1005 }), "InvalidAccessError");
    stream.close({ closeCode: 1011, reason: "sorry" });
  });
  const client = new WebSocketStream(server.url);
  await client.opened;
  const end = { closeCode: 1011, reason: "sorry" };
  assertEquals(await client.closed, end);
  assertEquals(await theirs.closed, end);
  await server.stop();
}

// A client that floods is stopped while the server does not read.
{
  let theirs;
  const server = serveStreams((stream) => theirs = stream);
  const socket = new WebSocket(server.url);
  await once(socket, "open");
  const { readable } = await theirs.opened;
  const count = 48;
  for (let i = 0; i < count; i++) socket.send(new Uint8Array(1 << 20).fill(i));
  // Round trips on another connection, through the same event loop.
  const other = new WebSocketStream(server.url);
  const theirOther = (await other.opened, theirs);
  const echo = theirOther.opened.then(({ readable, writable }) =>
    readable.pipeTo(writable)
  );
  const { readable: answers, writable } = await other.opened;
  const [reader, writer] = [answers.getReader(), writable.getWriter()];
  for (let i = 0; i < 100; i++) {
    await writer.write("stir");
    await reader.read();
  }
  assert(socket.bufferedAmount > 0, "it is stopped");
  other.close();
  await echo.catch(() => {});
  let i = 0;
  for await (const chunk of readable) {
    assertEquals([chunk.length, chunk[0]], [1 << 20, i]);
    if (++i === count) break;
  }
  await once(socket, "close");
  await server.stop();
}

// Who is not listened to was not silent: the idle timeout counts while somebody
// reads.
{
  const ends = [];
  const server = serveStreams((stream) => ends.push(stream), {
    idleTimeout: 0.2,
  });
  const { conn, reader } = await rawClient(server.port);
  const { readable } = await ends[0].opened;
  const bytes = frame(BINARY, [1], { mask: true });
  await write(conn, bytes);
  await write(conn, bytes);
  // Twice the timeout passes, with a message in line and one behind it.
  await new Promise((next) => setTimeout(next, 400));
  const messages = readable.getReader();
  for (let i = 0; i < 2; i++) {
    assertEquals((await messages.read()).value, new Uint8Array([1]));
  }
  const ping = await reader.frame();
  assertEquals(ping.opcode, PING);
  await write(conn, frame(PONG, ping.payload, { mask: true }));
  conn.close();
  await assertRejects(ends[0].closed, "WebSocketError");
  await server.stop();
}

// shutdown() closes them, whether somebody reads or not.
{
  const streams = [];
  const server = serveStreams((stream) => streams.push(stream));
  const client = new WebSocketStream(server.url);
  const { writable } = await client.opened;
  const writer = writable.getWriter();
  for (let i = 0; i < 5; i++) await writer.write("unread");
  await streams[0].opened;
  await server.stop();
  const end = { closeCode: 1001, reason: "" };
  assertEquals((await client.closed).closeCode, end.closeCode);
  assertEquals((await streams[0].closed).closeCode, end.closeCode);
}

// What is refused, as by Deno.upgradeWebSocket.
assertThrows(() => Deno.upgradeWebSocketStream({}), "TypeError");
assertThrows(
  () => Deno.upgradeWebSocketStream(new Request("http://localhost/")),
  "TypeError",
  "upgrade",
);
console.log("ok");
