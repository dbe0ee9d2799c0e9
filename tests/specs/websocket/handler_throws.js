// flags: --allow-net
// An exception in a handler is reported to the global scope; when that is
// prevented, the next event comes and the socket goes on.
import { assertEquals, once } from "../_assert.js";
import { serveEcho } from "../_server.js";

const reported = [];
addEventListener("error", (event) => {
  event.preventDefault();
  reported.push(event.error.message);
});
const server = serveEcho();
const socket = new WebSocket(server.url);
await once(socket, "open");
socket.onmessage = ({ data }) => {
  throw new Error(`thrown for ${data}`);
};
socket.send("a");
socket.send("b");
await once(socket, "message");
await once(socket, "message");
assertEquals(reported, ["thrown for a", "thrown for b"]);
socket.close();
await once(socket, "close");
await server.stop();
console.log("ok");
