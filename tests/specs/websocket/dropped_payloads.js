// engine: v8
// flags: --allow-net
// deno: it holds hundreds of megabytes
// Long messages that a script has done with are collected while others come.
import { assert, once } from "../_assert.js";
import { serveSockets } from "../_server.js";

const MIB = 2 ** 20;
const server = serveSockets((socket) => {
  socket.onmessage = ({ data }) => socket.send(data);
});
const socket = new WebSocket(server.url);
socket.binaryType = "arraybuffer";
await once(socket, "open");
const message = new Uint8Array(MIB);
let most = 0;
for (let i = 0; i < 200; i++) {
  message.fill(i);
  socket.send(message);
  const { data } = await once(socket, "message");
  assert(new Uint8Array(data).every((byte) => byte === i));
  most = Math.max(most, Deno.memoryUsage().external);
}
assert(most > MIB, "payloads are external memory");
// 400 MiB went through.
assert(most < 64 * MIB, `${most} bytes of payload were held`);
socket.close();
await once(socket, "close");
await server.stop();
console.log("ok");
