// flags: --allow-net
// engine: v8
// send() of a view without its buffer: an empty message, and no error on a socket that is
// closing or closed.
import { assertEquals, once } from "../_assert.js";
import { serveSockets } from "../_server.js";

function detached() {
  const buffer = new ArrayBuffer(3);
  const views = [new DataView(buffer), new Uint8Array(buffer), buffer];
  buffer.transfer();
  return views;
}

const received = [];
const server = serveSockets((socket) => {
  socket.onmessage = ({ data }) => received.push(data.byteLength);
});
const socket = new WebSocket(server.url);
await once(socket, "open");
for (const data of detached()) socket.send(data);
socket.close();
assertEquals(socket.readyState, WebSocket.CLOSING);
for (const data of detached()) socket.send(data);
assertEquals(socket.bufferedAmount, 0);
await once(socket, "close");
for (const data of detached()) socket.send(data);
assertEquals(socket.bufferedAmount, 0);
assertEquals(received, [0, 0, 0]);
await server.stop();
console.log("ok");
