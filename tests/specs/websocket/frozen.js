// flags: --allow-net
// A script may freeze a socket, on either end: what a socket has are no properties of it.
// deno: throws
import { assert, assertEquals, once } from "../_assert.js";

const server = Deno.serve(
  { hostname: "127.0.0.1", port: 0, onListen() {} },
  (request) => {
    const { socket, response } = Deno.upgradeWebSocket(request);
    socket.onmessage = ({ data }) => socket.send(data);
    Object.freeze(socket);
    return response;
  },
);
const socket = Object.freeze(
  new WebSocket(`ws://127.0.0.1:${server.addr.port}/`),
);
assert(Object.isFrozen(socket));
assertEquals(socket.readyState, WebSocket.CONNECTING);
socket.binaryType = "arraybuffer";
assertEquals(socket.binaryType, "arraybuffer");
const received = [];
socket.onmessage = ({ data }) => received.push(data);
await once(socket, "open");
assertEquals(socket.readyState, WebSocket.OPEN);
socket.send("text");
socket.send(new Blob(["blob"]));
socket.send(new Uint8Array([1, 2]));
while (received.length < 3) await once(socket, "message");
assertEquals(received[0], "text");
assertEquals(new TextDecoder().decode(received[1]), "blob");
assertEquals(received[2], new Uint8Array([1, 2]).buffer);
const closed = once(socket, "close");
socket.close(3000, "done");
assertEquals(socket.readyState, WebSocket.CLOSING);
const { code, wasClean } = await closed;
assertEquals([code, wasClean], [3000, true]);
assertEquals(socket.readyState, WebSocket.CLOSED);
await server.shutdown();
console.log("ok");
