// flags: --allow-net
// Messages arrive in the order of the send() calls, Blobs among them, and close()
// comes after them all.
import { assertEquals, once } from "../_assert.js";
import { serveSockets } from "../_server.js";

const received = [];
let closed;
const server = serveSockets((socket) => {
  socket.binaryType = "arraybuffer";
  socket.onmessage = ({ data }) => {
    received.push(typeof data === "string" ? data : data.byteLength);
  };
  closed = once(socket, "close");
});
const socket = new WebSocket(server.url);
await once(socket, "open");
socket.send("first");
socket.send(new Blob(["x".repeat(100_000)]));
socket.send("second");
socket.send(new Blob(["yy"]));
socket.send(new Uint8Array(3));
socket.close(1000);
await once(socket, "close");
await closed;
assertEquals(received, ["first", 100_000, "second", 2, 3]);
await server.stop();
console.log("ok");
