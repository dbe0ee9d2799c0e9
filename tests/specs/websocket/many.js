// flags: --allow-net
// Many messages in flight stay in order and none is lost.
import { assertEquals, once } from "../_assert.js";
import { serveEcho } from "../_server.js";

const COUNT = 20_000;
const server = serveEcho();
const sockets = [1, 2, 3].map(() => new WebSocket(server.url));
await Promise.all(sockets.map(async (socket) => {
  await once(socket, "open");
  let next = 0;
  const all = new Promise((resolve) => {
    socket.onmessage = ({ data }) => {
      assertEquals(data, `message ${next}`);
      if (++next === COUNT) resolve();
    };
  });
  for (let i = 0; i < COUNT; i++) socket.send(`message ${i}`);
  await all;
  socket.close();
  await once(socket, "close");
}));
await server.stop();
console.log("ok");
