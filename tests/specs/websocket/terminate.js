// flags: --allow-net
// deno: there is no terminate()
// terminate() drops the connection without a close handshake, in every state.
import { assert, assertEquals, once } from "../_assert.js";
import { rawClient, rawServer } from "../_raw.js";
import { serveSockets } from "../_server.js";

const accepted = Promise.withResolvers();
const server = serveSockets((socket) => {
  socket.onopen = () => accepted.resolve(socket);
});
const { conn, reader } = await rawClient(server.port);
const socket = await accepted.promise;
const events = [];
for (const type of ["error", "close"]) {
  socket.addEventListener(type, (event) => events.push(event));
}
// The peer reads nothing, which holds up no one.
while (socket.send(new Uint8Array(1 << 20)) > 0);
socket.terminate();
assertEquals(socket.readyState, WebSocket.CLOSING);
assertEquals(socket.send("late"), 0);
socket.terminate();
await once(socket, "close");
assertEquals(events.map((event) => event.type), ["close"]);
assertEquals([events[0].code, events[0].wasClean], [1006, false]);
assertEquals(socket.readyState, WebSocket.CLOSED);
socket.terminate();
// No Close frame came, and it is over: an end, or a reset.
let last;
try {
  while ((last = await reader.frame()) !== null) assert(last.opcode !== 8);
} catch (error) {
  assert(error instanceof Deno.errors.ConnectionReset, String(error));
}
conn.close();

// A client that waits for an answer to its Close frame.
const client = new WebSocket(server.url);
await once(client, "open");
client.close();
client.terminate();
const { code } = await once(client, "close");
assertEquals(code, 1006);

// One that is not connected yet.
const silent = rawServer((_conn, reader) => reader.bytes(1));
const early = new WebSocket(silent.url);
early.terminate();
assertEquals((await once(early, "close")).code, 1006);
await silent.done.catch(() => {});

await server.stop();
console.log("ok");
