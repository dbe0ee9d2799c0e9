// flags: --allow-net
// A busy event loop drops no healthy connection: silence counts while the loop
// could have heard.
import { assertEquals, once } from "../_assert.js";
import { serveEcho } from "../_server.js";

/** The next message, or how the socket closed. */
function next(socket) {
  return new Promise((resolve) => {
    socket.onmessage = ({ data }) => resolve(data);
    socket.onclose = ({ code, reason }) => resolve(`${code} ${reason}`);
  });
}

const server = serveEcho({ idleTimeout: 1 });
const socket = new WebSocket(server.url);
await once(socket, "open");

// Before the ping, and after it.
for (const pause of [0, 600]) {
  await new Promise((resolve) => setTimeout(resolve, pause));
  const end = performance.now() + 2500;
  while (performance.now() < end);
  const answer = next(socket);
  // Not at once: what was missed is to be sorted out first.
  await new Promise((resolve) => setTimeout(resolve, 100));
  socket.send("still here");
  assertEquals(await answer, "still here");
}
socket.close();
await once(socket, "close");
await server.stop();
console.log("ok");
