// flags: --allow-net
// Messages at the edges of the three length encodings, and large ones.
import { assertEquals, once } from "../_assert.js";
import { serveEcho } from "../_server.js";

const server = serveEcho();
const socket = new WebSocket(server.url);
socket.binaryType = "arraybuffer";
await once(socket, "open");
for (const size of [0, 1, 125, 126, 127, 65535, 65536, 65537, 1 << 20, 5e6]) {
  const text = "0123456789".repeat(size / 10 + 1).slice(0, size);
  socket.send(text);
  const { data: textBack } = await once(socket, "message");
  assertEquals(textBack === text, true, `text of ${size}`);

  const bytes = new Uint8Array(size).map((_, i) => i * 31);
  socket.send(bytes);
  const { data } = await once(socket, "message");
  const back = new Uint8Array(data);
  assertEquals(back.length, size);
  assertEquals(back.every((byte, i) => byte === bytes[i]), true);
}
const wide = "€".repeat(400_000);
socket.send(wide);
assertEquals((await once(socket, "message")).data === wide, true);
socket.close();
await once(socket, "close");
await server.stop();
console.log("ok");
