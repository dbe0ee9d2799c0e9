// flags: --allow-net
// deno: WebSocketStream needs --unstable-net
// Who does not read stops the peer: the socket is not read either.
import { assert, assertEquals } from "../_assert.js";
import { BINARY, frame, rawWebSocketServer, write } from "../_raw.js";
import { serveSockets } from "../_server.js";
import { echo, stir } from "./_stir.js";

const MESSAGES = 64;
const LENGTH = 1 << 20;

// A peer of plain TCP: its writes do not go through.
{
  let written = 0;
  const server = rawWebSocketServer(async (conn, reader) => {
    for (let i = 0; i < MESSAGES; i++) {
      await write(conn, frame(BINARY, new Uint8Array(LENGTH).fill(i)));
      written++;
    }
    return await reader.close();
  });
  const stream = new WebSocketStream(server.url);
  const { readable } = await stream.opened;
  await stir();
  assert(written < MESSAGES, "the peer is stopped");
  const reader = readable.getReader();
  for (let i = 0; i < MESSAGES; i++) {
    const { value } = await reader.read();
    assert(value.length === LENGTH && value.every((byte) => byte === i));
  }
  await stir(1);
  assertEquals(written, MESSAGES);
  stream.close({ closeCode: 3000 });
  assertEquals(await server.done, [3000, ""]);
}

// A socket of duplex: its bufferedAmount stays, and falls when it is read.
for (const perMessageDeflate of [false, true]) {
  let socket;
  const server = serveSockets((it) => {
    socket = it;
    socket.onopen = () => {
      for (let i = 0; i < MESSAGES; i++) {
        const message = crypto.getRandomValues(new Uint8Array(65536));
        const large = new Uint8Array(LENGTH);
        for (let at = 0; at < LENGTH; at += 65536) large.set(message, at);
        large[0] = i;
        socket.send(large);
      }
    };
  }, { perMessageDeflate: perMessageDeflate && { level: 0 } });
  const stream = new WebSocketStream(server.url);
  const { readable } = await stream.opened;
  await stir();
  assert(socket.bufferedAmount > 0);
  await stir();
  assert(socket.bufferedAmount > 0, "the peer is stopped");
  let i = 0;
  for await (const message of readable) {
    assertEquals([message.length, message[0]], [LENGTH, i]);
    if (++i === MESSAGES) break;
  }
  // Leaving the loop cancels the readable, which closes the connection.
  assertEquals(await stream.closed, { closeCode: 1005, reason: "" });
  assertEquals(socket.bufferedAmount, 0);
  await server.stop();
}

// Closing gets through to a peer that is stopped, with all that was not read.
for (const end of ["close", "cancel", "abort"]) {
  const server = serveSockets((socket) => {
    socket.onopen = () => {
      for (let i = 0; i < MESSAGES; i++) socket.send(new Uint8Array(LENGTH));
    };
  });
  const stream = new WebSocketStream(server.url);
  const { readable, writable } = await stream.opened;
  await stir();
  const reason = new WebSocketError("", { closeCode: 4000 });
  if (end === "close") stream.close({ closeCode: 4000 });
  if (end === "cancel") await readable.cancel(reason);
  if (end === "abort") await writable.abort(reason);
  assertEquals(await stream.closed, { closeCode: 4000, reason: "" });
  await server.stop();
}
await echo.stop();
console.log("ok");
