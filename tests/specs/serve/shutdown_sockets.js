// flags: --allow-net
// shutdown() closes the WebSockets behind what was sent, and waits for them.
import { assertEquals, once } from "../_assert.js";
import { serveEcho } from "../_server.js";

const server = serveEcho();
const sockets = [];
for (let i = 0; i < 20; i++) sockets.push(new WebSocket(server.url));
await Promise.all(sockets.map((socket) => once(socket, "open")));

const echoed = sockets.map((socket) => once(socket, "message"));
for (const socket of sockets) socket.send("before");
await Promise.all(echoed);
const closed = sockets.map((socket) => once(socket, "close"));
await server.stop();
for (const event of await Promise.all(closed)) {
  assertEquals(
    [event.code, event.reason, event.wasClean],
    [1001, "Server shutting down", true],
  );
}
console.log("ok");
