// flags: --allow-net
// deno: has no such options
// Every limit: what reaches it passes, what exceeds it ends that one connection
// with the right code and an error that names the option.
import { assertEquals, assertThrows, once } from "../_assert.js";
import {
  concat,
  frame,
  PING,
  PONG,
  rawClient,
  rawWebSocketServer,
  TEXT,
  write,
} from "../_raw.js";
import { serveEcho, serveSockets } from "../_server.js";

const repeat = (count, bytes) => concat(...Array(count).fill(bytes));
const cases = [
  {
    options: { maxPayloadLength: 10 },
    within: (mask) =>
      concat(
        frame(TEXT, "x".repeat(10), { mask }),
        frame(TEXT, "x".repeat(9), { mask, fin: false }),
        frame(0, "x", { mask }),
      ),
    beyond: (mask) => frame(TEXT, "x".repeat(11), { mask }),
    code: 1009,
    error: "message exceeds maxPayloadLength (10 bytes)",
  },
  {
    // Judged by what a header announces.
    options: { maxPayloadLength: 1000 },
    within: () => [],
    beyond: (
      mask,
    ) => [
      0x82,
      mask ? 0xff : 0x7f,
      0x7f,
      255,
      255,
      255,
      255,
      255,
      255,
      255,
      1,
      2,
      3,
      4,
    ],
    code: 1009,
    error: "message exceeds maxPayloadLength (1000 bytes)",
  },
  {
    // The sum of the fragments.
    options: { maxPayloadLength: 10 },
    within: (mask) => frame(TEXT, "x".repeat(6), { mask, fin: false }),
    beyond: (mask) => frame(0, "x".repeat(5), { mask }),
    code: 1009,
    error: "message exceeds maxPayloadLength (10 bytes)",
  },
  {
    options: { maxFragments: 3 },
    within: (mask) =>
      concat(
        frame(TEXT, "", { mask, fin: false }),
        repeat(2, frame(0, "", { mask, fin: false })),
      ),
    beyond: (mask) => frame(0, "", { mask }),
    code: 1008,
    error: "message exceeds maxFragments (3)",
  },
  {
    // In one packet, and so in one second.
    options: { maxControlFrames: 4 },
    within: (mask) =>
      concat(frame(PING, "", { mask }), frame(PONG, "", { mask })),
    beyond: (mask) => repeat(9, frame(PONG, "", { mask })),
    code: 1008,
    error: "control frames exceed maxControlFrames (4 a second)",
  },
];

function watch(socket) {
  const log = [];
  socket.onerror = ({ message }) => log.push(message);
  return once(socket, "close").then(({ code }) => [...log, code]);
}

// Others are not touched by what happens to one.
const echo = serveEcho();
const bystander = new WebSocket(echo.url);
await once(bystander, "open");

for (const { options, within, beyond, code, error } of cases) {
  const { url, done } = rawWebSocketServer(async (conn, reader) => {
    await write(conn, concat(within(false), beyond(false)));
    return await reader.close();
  });
  const closed = watch(new WebSocket(url, options));
  assertEquals(await closed, [error, 1006]);
  assertEquals((await done)[0], code);

  const arrived = Promise.withResolvers();
  const server = serveSockets(
    (socket) => arrived.resolve(watch(socket)),
    options,
  );
  const { conn, reader } = await rawClient(server.port);
  await write(conn, concat(within(true), beyond(true)));
  assertEquals(await reader.close(), [code, error]);
  conn.close();
  assertEquals(await arrived.promise, [error, 1006]);
  await server.stop();

  const answer = once(bystander, "message");
  bystander.send("still here");
  assertEquals((await answer).data, "still here");
}

// The peer reads nothing: more than the limit is not queued, and it is said.
const { promise: overflowing, resolve } = Promise.withResolvers();
const chunk = new Uint8Array(1 << 16);
const backpressureLimit = 1 << 20;
let sent = 0;
const server = serveSockets((socket) => {
  const closed = watch(socket);
  socket.onopen = () => {
    for (; sent < 1000; sent++) {
      new DataView(chunk.buffer).setUint32(0, sent);
      socket.send(chunk);
    }
    const amount = socket.bufferedAmount;
    assertEquals(socket.readyState, WebSocket.OPEN);
    closed.then((log) => resolve([socket, amount, log]));
  };
}, { backpressureLimit });
const { conn, reader } = await rawClient(server.port);
const [socket, amount, log] = await overflowing;
assertEquals(log, [
  `queued messages exceed backpressureLimit (${backpressureLimit} bytes)`,
  1006,
]);
// What was refused counts as not sent, and it stays so.
assertEquals(amount > 900 * chunk.length - (16 << 20), true);
assertEquals(socket.bufferedAmount > 0, true);
// What was taken arrives in order, as far as the peer reads.
let next = 0;
for (;;) {
  const message = await reader.frame().catch(() => null);
  if (message === null || message.opcode === 8) break;
  assertEquals(new DataView(message.payload.buffer).getUint32(0), next++);
}
assertEquals(next > 0 && next < sent, true);
conn.close();
await server.stop();

// One message may be as long as it likes.
const long = new WebSocket(echo.url, { backpressureLimit: 1 });
await once(long, "open");
const answer = once(long, "message");
long.send("x".repeat(5_000_000));
assertEquals((await answer).data.length, 5_000_000);
long.close();
await once(long, "close");
bystander.close();
await once(bystander, "close");
await echo.stop();

for (
  const [name, most] of [
    ["maxPayloadLength", Number.MAX_SAFE_INTEGER],
    ["maxFragments", 2 ** 32 - 1],
    ["maxControlFrames", 2 ** 32 - 1],
    ["backpressureLimit", Number.MAX_SAFE_INTEGER],
  ]
) {
  const request = new Request("http://localhost/", {
    headers: {
      upgrade: "websocket",
      connection: "upgrade",
      "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
    },
  });
  for (const value of [0, -1, 1.5, NaN, Infinity, most + 1, "10", true]) {
    const text = `${name} must be an integer from 1 to ${most}`;
    const options = { [name]: value };
    const dial = () => new WebSocket("ws://localhost:1/", options);
    assertThrows(dial, "TypeError", text);
    const upgrade = () => Deno.upgradeWebSocket(request, options);
    assertThrows(upgrade, "TypeError", text);
  }
  Deno.upgradeWebSocket(request, { [name]: most });
}
console.log("ok");
