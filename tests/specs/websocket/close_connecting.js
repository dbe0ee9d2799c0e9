// flags: --allow-net
// deno: gives the close event code 0 instead of 1006
// close() before the connection is open fails it: error, then close 1006.
import { assertEquals, once } from "../_assert.js";
import { serveSockets } from "../_server.js";

const server = serveSockets(() => {});
const socket = new WebSocket(server.url);
const log = [];
for (const type of ["open", "error", "close"]) {
  socket.addEventListener(type, () => log.push(type));
}
socket.close(1000, "never mind");
assertEquals(socket.readyState, WebSocket.CLOSING);
const { code, reason, wasClean } = await once(socket, "close");
assertEquals([code, reason, wasClean], [1006, "", false]);
assertEquals(log, ["error", "close"]);
await server.stop();
console.log("ok");
