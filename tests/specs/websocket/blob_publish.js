// flags: --allow-net
// deno: has no topics
// What is published behind a Blob arrives behind it, and what it was.
import { assertEquals, once } from "../_assert.js";

let socket;
const server = Deno.serve(
  { hostname: "127.0.0.1", port: 0, onListen() {} },
  (request) => {
    const upgraded = Deno.upgradeWebSocket(request);
    socket = upgraded.socket;
    socket.onopen = () => socket.subscribe("room");
    return upgraded.response;
  },
);
const client = new WebSocket(`ws://127.0.0.1:${server.addr.port}/`);
client.binaryType = "arraybuffer";
await once(client, "open");
while (socket.readyState !== WebSocket.OPEN) {
  await new Promise((resolve) => setTimeout(resolve));
}
const received = [];
client.onmessage = ({ data }) => {
  received.push(typeof data === "string" ? data : data.byteLength);
};
const closed = once(client, "close");
server.publish("room", "first");
socket.send(new Blob(["x".repeat(70_000)]));
const long = new Uint8Array(10_000);
assertEquals(server.publish("room", long), 10_000);
long.buffer.transfer();
server.publish("room", "text");
socket.send(new Blob([]));
server.publish("room", "last");
socket.close();
// It is closing: nothing is taken any more.
assertEquals(server.publish("room", "late"), 0);
await closed;
assertEquals(received, ["first", 70_000, 10_000, "text", 0, "last"]);
await server.shutdown();
console.log("ok");
