// flags: --allow-net
// The memory of a message is the script's for as long as it keeps the message, and what
// it sends is what was there when it did: messages of one length, one after the other,
// whole, in parts and several at once, which others have been collected between.
import { assert, assertEquals } from "../_assert.js";
import { BINARY, concat, frame, rawClient, TEXT, write } from "../_raw.js";
import { serveSockets } from "../_server.js";

const kept = [];
const server = serveSockets((socket) => {
  socket.onmessage = ({ data }) => {
    if (typeof data === "string") {
      socket.send(data);
      return;
    }
    const bytes = new Uint8Array(data);
    socket.send(data);
    if (bytes[0] % 3 === 0) {
      kept.push([bytes[0], bytes.length, data]);
    } else {
      // Too late for what was sent.
      bytes.fill(255);
    }
  };
});

const { conn, reader } = await rawClient(server.port);
const masked = (opcode, payload) => frame(opcode, payload, { mask: true });
const payload = (value, length) => new Uint8Array(length).fill(value);

async function receives(value, length) {
  const { payload } = await reader.frame();
  assertEquals(payload.length, length);
  assert(payload.every((byte) => byte === value), `${value} came back`);
}

let value = 0;
const next = () => value = (value + 1) % 250;
for (const length of [4096, 16384, 65522, 65523, 16384]) {
  for (let i = 0; i < 100; i++) {
    await write(conn, masked(BINARY, payload(next(), length)));
    await receives(value, length);
  }
  // In two parts, and two at once.
  const whole = masked(BINARY, payload(next(), length));
  for (const cut of [1, 7, length >> 1, length + 7]) {
    await write(conn, masked(BINARY, payload(value, length)));
    await receives(value, length);
    await write(conn, whole.subarray(0, cut));
    await new Promise((resolve) => setTimeout(resolve, 1));
    await write(conn, whole.subarray(cut));
    await receives(value, length);
  }
  for (const other of [1, length - 1, length]) {
    await write(conn, masked(BINARY, payload(value, length)));
    await receives(value, length);
    await write(conn, concat(whole, masked(BINARY, payload(value, other))));
    await receives(value, length);
    await receives(value, other);
  }
  // One that is no longer what was expected.
  await write(conn, masked(BINARY, payload(value, length)));
  await receives(value, length);
  await write(conn, masked(TEXT, payload(0x61, length)));
  await receives(0x61, length);
}

// What is short does not hold the memory that a long one was expected in.
const before = Deno.memoryUsage().rss;
for (let i = 0; i < 3000; i++) {
  if (i % 500 === 0) {
    await write(conn, masked(BINARY, payload(1, 60_000)));
    await receives(1, 60_000);
  }
  await write(conn, masked(BINARY, [3, 3, 3]));
  await receives(3, 3);
}
const grown = Deno.memoryUsage().rss - before;
assert(grown < 30e6, `${grown} bytes for 3,000 short messages`);

assert(kept.length > 3150);
for (const [value, length, data] of kept) {
  assertEquals(data.byteLength, length);
  assert(new Uint8Array(data).every((byte) => byte === value), `kept ${value}`);
}
// They are ArrayBuffers like others.
const [first, length, data] = kept[0];
const moved = structuredClone(data, { transfer: [data] });
assertEquals([data.byteLength, moved.byteLength], [0, length]);
assertEquals(new Uint8Array(moved)[length - 1], first);
conn.close();
await server.stop();
console.log("ok");
