// flags: --allow-net
// deno: asks the system, which may not know them
// Names below `localhost` stand for this machine (RFC 6761 section 6.3).
import { assertEquals, once } from "../_assert.js";
import { serveEcho } from "../_server.js";

const server = serveEcho();
for (const host of ["localhost", "a.localhost", "a.b.LOCALHOST"]) {
  const socket = new WebSocket(`ws://${host}:${server.port}/`);
  await once(socket, "open");
  socket.close();
  assertEquals((await once(socket, "close")).wasClean, true);
}
await server.stop();
console.log("ok");
