// flags: --allow-net
// Event handler attributes: order with listeners, `this`, what may be assigned.
import { assertEquals, once } from "../_assert.js";
import { serveSockets } from "../_server.js";

const server = serveSockets((socket) => {
  socket.onopen = () => {
    socket.send("one");
    socket.send("two");
  };
});
const socket = new WebSocket(server.url);
const log = [];

socket.onmessage = 5;
assertEquals(socket.onmessage, null);
socket.addEventListener("message", () => log.push("listener a"));
socket.onmessage = () => log.push("replaced before it ran");
socket.addEventListener("message", () => log.push("listener b"));
const handler = function (event) {
  assertEquals(this, socket);
  log.push(`handler ${event.data}`);
  if (event.data === "two") socket.onmessage = null;
};
socket.onmessage = handler;
assertEquals(socket.onmessage, handler);

let count = 0;
await new Promise((resolve) => {
  socket.addEventListener("message", () => {
    if (++count === 2) resolve();
  });
});
assertEquals(socket.onmessage, null);
assertEquals(log, [
  "listener a",
  "handler one",
  "listener b",
  "listener a",
  "handler two",
  "listener b",
]);
socket.close();
await once(socket, "close");
await server.stop();
console.log("ok");
