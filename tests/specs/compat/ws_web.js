// flags: --allow-net
// deno: needs npm packages there
// The server of ws with the client of the web, compressed and not, in the style of
// the web on both ends.
import { once as onceEvent } from "node:events";
import { WebSocketServer } from "ws";
import { assertEquals, once } from "../_assert.js";

for (const perMessageDeflate of [false, true, { threshold: 0 }]) {
  const wss = new WebSocketServer({
    host: "127.0.0.1",
    port: 0,
    perMessageDeflate,
  });
  wss.on("connection", (socket) => {
    socket.onmessage = ({ data }) => socket.send(data);
  });
  await onceEvent(wss, "listening");
  const socket = new WebSocket(`ws://127.0.0.1:${wss.address().port}`);
  socket.binaryType = "arraybuffer";
  await once(socket, "open");
  assertEquals(socket.extensions !== "", perMessageDeflate !== false);
  for (const text of ["", "a", "\u{1f600}".repeat(50_000)]) {
    socket.send(text);
    assertEquals((await once(socket, "message")).data, text);
  }
  socket.send(new Uint8Array(100_000).fill(7));
  const { data } = await once(socket, "message");
  assertEquals(new Uint8Array(data).every((it) => it === 7), true);
  for (const client of wss.clients) {
    client.close(1001, "bye");
  }
  const { code, reason, wasClean } = await once(socket, "close");
  assertEquals([code, reason, wasClean], [1001, "bye", true]);
  wss.close();
}
console.log("ok");
