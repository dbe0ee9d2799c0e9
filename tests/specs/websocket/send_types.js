// flags: --allow-net
// Everything that send() takes, and what arrives.
import { assertEquals, once } from "../_assert.js";
import { serveEcho } from "../_server.js";

const server = serveEcho();
const socket = new WebSocket(server.url);
socket.binaryType = "arraybuffer";
await once(socket, "open");

const bytes = new Uint8Array([0, 1, 2, 3, 254, 255]);
const floats = new Float64Array([1.5, -2]);
const cases = [
  ["text", "text"],
  ["", ""],
  ["ünïcödé 💬 \u0000", "ünïcödé 💬 \u0000"],
  ["lone \ud800 surrogate", "lone \ufffd surrogate"],
  [42, "42"],
  [null, "null"],
  [undefined, "undefined"],
  [{ toString: () => "object" }, "object"],
  [bytes, bytes],
  [bytes.buffer, bytes],
  [bytes.subarray(2, 4), bytes.slice(2, 4)],
  [new DataView(bytes.buffer, 1, 3), bytes.slice(1, 4)],
  [floats, new Uint8Array(floats.buffer)],
  [new ArrayBuffer(0), new Uint8Array(0)],
  [new Blob(["blob ", "parts"]), new TextEncoder().encode("blob parts")],
  [new Blob([]), new Uint8Array(0)],
];
for (const [sent, expected] of cases) {
  socket.send(sent);
  const { data } = await once(socket, "message");
  assertEquals(data, expected);
}
socket.close();
await once(socket, "close");
await server.stop();
console.log("ok");
