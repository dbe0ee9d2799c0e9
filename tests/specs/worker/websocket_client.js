// flags: --allow-net=127.0.0.1
// deno: closes with code 0
// A socket in a worker. When the worker ends, its connection does, and the peer
// hears of it.
import { assertEquals, once } from "../_assert.js";
import { serveSockets } from "../_server.js";
import { inline, received } from "../_worker.js";

let connected = Promise.withResolvers();
const server = serveSockets((socket) => {
  socket.onmessage = ({ data }) => socket.send(`${data}, echoed`);
  connected.resolve(socket);
});

for (
  const [end, how] of [
    ["", "terminate"],
    ["for (;;);", "terminate"],
    ["close();", "close"],
    ["Deno.exit();", "exit"],
  ]
) {
  connected = Promise.withResolvers();
  const worker = inline(`
    const socket = new WebSocket("${server.url}");
    socket.onopen = () => socket.send("hello");
    socket.onmessage = ({ data }) => { postMessage(data); ${end} };
  `);
  const answer = received(worker);
  const socket = await connected.promise;
  socket.onerror = () => {};
  const closed = once(socket, "close");
  assertEquals(await answer, "hello, echoed", how);
  if (how === "terminate") worker.terminate();
  const { code, wasClean } = await closed;
  assertEquals([code, wasClean], [1006, false], how);
}

// What a worker sends in its last turn is written before the connection ends.
connected = Promise.withResolvers();
inline(`
  const socket = new WebSocket("${server.url}");
  socket.onopen = () => setTimeout(() => { socket.send("last words"); close(); });
`);
const socket = await connected.promise;
socket.onerror = () => {};
const [{ data }] = await Promise.all([
  once(socket, "message"),
  once(socket, "close"),
]);
assertEquals(data, "last words");
await server.stop();
console.log("ok");
