// flags: --allow-net
// deno: send() returns nothing, there is no drain
// What send() says while the peer does not read, and that drain says when it does.
import { assert, assertEquals, once } from "../_assert.js";
import { BINARY, rawClient } from "../_raw.js";
import { serveSockets } from "../_server.js";

const LIMIT = 4 << 20;
const opened = Promise.withResolvers();
const server = serveSockets(
  (socket) => socket.onopen = () => opened.resolve(socket),
  {
    backpressureLimit: LIMIT,
    closeOnBackpressureLimit: false,
  },
);
const { conn, reader } = await rawClient(server.port);
const socket = await opened.promise;

assertEquals(socket.send("ä"), 2);
assertEquals(socket.send(""), 1);

// The kernel's buffers fill, then ours.
const chunk = new Uint8Array(100_000);
const said = [];
let sent = 2;
do {
  said.push(socket.send(chunk));
  if (said.at(-1) !== 0) sent++;
} while (said.at(-1) !== 0);
assertEquals(said[0], chunk.length);
const first = said.indexOf(-1);
assert(first > 0, "the kernel took none, or all");
assert(
  said.slice(first, -1).every((it) => it === -1),
  "taken again without a drain",
);
assertEquals(socket.send("refused"), 0);
assertEquals(socket.ping(), 0);
// Within a turn it does not fall.
assert(socket.bufferedAmount >= LIMIT - chunk.length, "too little is queued");
await new Promise((done) => setTimeout(done));
assert(socket.bufferedAmount <= LIMIT + chunk.length, "too much is queued");
assertEquals(socket.readyState, WebSocket.OPEN);

// What was taken arrives, what was refused does not, and then there is room.
const drained = once(socket, "drain");
for (let i = 0; i < sent; i++) {
  const frame = await reader.frame();
  if (i >= 2) assertEquals(frame.payload.length, chunk.length);
}
const event = await drained;
assert(event instanceof Event && event.isTrusted);
assertEquals(socket.bufferedAmount, 0);
assertEquals(socket.send(new Uint8Array(3)), 3);
const { opcode, payload } = await reader.frame();
assertEquals([opcode, payload.length], [BINARY, 3]);

// A Blob is refused as other messages are, and waits for its content where it is not.
while (socket.send(chunk) !== 0);
const blob = new Blob(["from a blob"]);
assertEquals(socket.send(blob), 0);
const room = once(socket, "drain");
const texts = [];
const send = room.then(() => {
  assertEquals(socket.send(blob), 11);
  assertEquals(socket.send("behind it"), 9);
});
while (texts.length < 2) {
  const { opcode, payload } = await reader.frame();
  if (opcode !== BINARY) texts.push(new TextDecoder().decode(payload));
  else if (payload.length === 11) {
    texts.push(new TextDecoder().decode(payload));
  }
}
assertEquals(texts, ["from a blob", "behind it"]);
await send;

conn.close();
await once(socket, "close");
assertEquals(socket.send("late"), 0);
await server.stop();
console.log("ok");
