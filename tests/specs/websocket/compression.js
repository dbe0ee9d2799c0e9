// flags: --allow-net
// deno: has no compression
// permessage-deflate (RFC 7692): what is agreed on, and that messages survive it.
import { assertEquals, assertThrows, once } from "../_assert.js";
import { concat, frame, rawClient, TEXT, write } from "../_raw.js";
import { serveEcho, serveSockets } from "../_server.js";

const text = "The quick brown fox jumps over the lazy dog. ".repeat(500);
const random = crypto.getRandomValues(new Uint8Array(60_000));
const messages = ["", "short", text, "ünï©ødé ".repeat(999), random];

async function roundTrip(socket) {
  await once(socket, "open");
  socket.binaryType = "arraybuffer";
  for (let round = 0; round < 3; round++) {
    for (const message of messages) {
      const answer = once(socket, "message");
      socket.send(message);
      const { data } = await answer;
      assertEquals(
        typeof data === "string" ? data : new Uint8Array(data),
        message,
      );
    }
  }
  socket.close();
  await once(socket, "close");
}

for (
  const [perMessageDeflate, extensions] of [
    [undefined, ""],
    [false, ""],
    [true, "permessage-deflate"],
    [{ threshold: 0, level: 9 }, "permessage-deflate"],
    [
      { serverNoContextTakeover: true, clientNoContextTakeover: true },
      "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
    ],
    [
      { serverMaxWindowBits: 9, clientMaxWindowBits: 10 },
      "permessage-deflate; server_max_window_bits=9; client_max_window_bits=10",
    ],
  ]
) {
  const server = serveEcho({ perMessageDeflate });
  const socket = new WebSocket(server.url);
  await roundTrip(socket);
  assertEquals(socket.extensions, extensions);
  // A client may leave the offer out.
  const plain = new WebSocket(server.url, { perMessageDeflate: false });
  await roundTrip(plain);
  assertEquals(plain.extensions, "");
  await server.stop();
}

// On the wire: compressed from the threshold on, and the server's end says so.
let extensions;
const server = serveSockets((socket) => {
  socket.onopen = () => {
    extensions = socket.extensions;
    socket.send("x".repeat(63));
    socket.send("x".repeat(1000));
  };
}, { perMessageDeflate: true });
const { conn, reader, head } = await rawClient(server.port, {
  "Sec-WebSocket-Extensions": "permessage-deflate",
});
assertEquals(
  head.includes("sec-websocket-extensions: permessage-deflate"),
  true,
);
const small = await reader.frame();
assertEquals([small.first, small.payload.length], [0x81, 63]);
const large = await reader.frame();
assertEquals([large.first, large.payload.length < 50], [0xc1, true]);
assertEquals(extensions, "permessage-deflate");

// What inflates beyond the limit ends that connection with 1009.
const other = new WebSocket(server.url);
await once(other, "open");
const zeros = new Blob([new Uint8Array(1 << 20)]);
const bomb = await new Response(
  new Blob(Array(70).fill(zeros)).stream()
    .pipeThrough(new CompressionStream("deflate-raw")),
).bytes();
await write(conn, frame(TEXT, bomb, { mask: true, first: 0xc1 }));
const { first, payload } = await reader.frame();
assertEquals([first, payload[0] * 256 + payload[1]], [0x88, 1009]);
conn.close();
assertEquals(other.readyState, WebSocket.OPEN);
other.close();
await once(other, "close");

// A compressed frame where none was agreed on.
const plain = serveSockets(() => {});
const raw = await rawClient(plain.port);
await write(
  raw.conn,
  concat(frame(TEXT, "x", { mask: true, first: 0xc1 })),
);
const close = await raw.reader.frame();
assertEquals(close.payload[0] * 256 + close.payload[1], 1002);
raw.conn.close();
await plain.stop();
await server.stop();

const request = new Request("http://localhost/", {
  headers: {
    upgrade: "websocket",
    connection: "upgrade",
    "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
  },
});
for (
  const perMessageDeflate of [
    1,
    "on",
    { level: 10 },
    { threshold: -1 },
    { serverMaxWindowBits: 7 },
    { clientMaxWindowBits: 8.5 },
  ]
) {
  assertThrows(
    () => Deno.upgradeWebSocket(request, { perMessageDeflate }),
    "TypeError",
  );
}
console.log("ok");
