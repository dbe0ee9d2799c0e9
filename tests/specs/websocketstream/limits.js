// flags: --allow-net
// deno: WebSocketStream needs --unstable-net
// The limits of a WebSocket hold for a stream too; a writer that waits never
// exceeds the one on what is queued.
import { assertEquals, assertRejects } from "../_assert.js";
import {
  BINARY,
  concat,
  frame,
  PING,
  rawWebSocketServer,
  TEXT,
  write,
} from "../_raw.js";
import { serveSockets } from "../_server.js";

async function exceeds(bytes, options, text) {
  const peer = rawWebSocketServer(async (conn, reader) => {
    await write(conn, bytes);
    return await reader.close();
  });
  const stream = new WebSocketStream(peer.url, options);
  const { readable } = await stream.opened;
  await assertRejects(readable.getReader().read(), "WebSocketError", text);
  const { closeCode } = await assertRejects(stream.closed, "WebSocketError");
  assertEquals(closeCode, 1006);
  return (await peer.done)[0];
}

assertEquals(
  await exceeds(
    frame(BINARY, new Uint8Array(101)),
    { maxPayloadLength: 100 },
    "100",
  ),
  1009,
);
const parts = [1, 2, 3].map((part) =>
  frame(part > 1 ? 0 : TEXT, "x", { fin: false })
);
assertEquals(await exceeds(concat(...parts), { maxFragments: 2 }, "2"), 1008);
const pings = Array.from({ length: 50 }, () => frame(PING));
assertEquals(
  await exceeds(concat(...pings), { maxControlFrames: 10 }, "10"),
  1008,
);

let received = 0;
const server = serveSockets((socket) => {
  socket.onmessage = ({ data }) => received += data.byteLength;
});
const stream = new WebSocketStream(server.url, { backpressureLimit: 1 });
const { writable } = await stream.opened;
const writer = writable.getWriter();
for (let i = 0; i < 100; i++) await writer.write(new Uint8Array(10_000));
await writer.close();
assertEquals(received, 1_000_000);
assertEquals(await stream.closed, { closeCode: 1005, reason: "" });
await server.stop();
console.log("ok");
