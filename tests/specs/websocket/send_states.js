// flags: --allow-net
// send() before the connection is open throws, after it closes counts only.
import { assert, assertEquals, assertThrows, once } from "../_assert.js";
import { serveEcho } from "../_server.js";

const server = serveEcho();
const socket = new WebSocket(server.url);
assertThrows(() => socket.send("early"), "InvalidStateError");
assertThrows(() => socket.send(), "TypeError");
await once(socket, "open");
socket.onmessage = () => {
  throw new Error("what was sent after close() must not arrive");
};
socket.close();
assertEquals(socket.readyState, WebSocket.CLOSING);
socket.send("dropped");
await once(socket, "close");
assertEquals(socket.readyState, WebSocket.CLOSED);
socket.send("dropped too");
socket.send(new Uint8Array(5));
assert(socket.bufferedAmount >= 0);
await server.stop();
console.log("ok");
