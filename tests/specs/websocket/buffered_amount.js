// flags: --allow-net
// deno: it counts nothing that is sent once the socket is closing
// bufferedAmount counts payload bytes in UTF-8 until they are handed on.
import { assertEquals, once } from "../_assert.js";
import { serveEcho } from "../_server.js";

const server = serveEcho();
const socket = new WebSocket(server.url);
await once(socket, "open");
assertEquals(socket.bufferedAmount, 0);
socket.send("12345");
assertEquals(socket.bufferedAmount, 5);
socket.send("ä€");
assertEquals(socket.bufferedAmount, 10);
socket.send(new Uint8Array(90));
assertEquals(socket.bufferedAmount, 100);
await once(socket, "message");
assertEquals(socket.bufferedAmount, 0);

// After close() nothing leaves any more, and the standard still counts it.
socket.close();
const before = socket.bufferedAmount;
socket.send("1234567");
assertEquals(socket.bufferedAmount, before + 7);
await once(socket, "close");
assertEquals(socket.bufferedAmount, before + 7);
await server.stop();
console.log("ok");
