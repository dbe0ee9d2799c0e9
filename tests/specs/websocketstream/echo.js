// flags: --allow-net
// deno: WebSocketStream needs --unstable-net
// What is written comes back as chunks of the same kind, one for each message.
import { assertEquals } from "../_assert.js";
import { serveEcho } from "../_server.js";

const text = "The quick brown fox jumps over the lazy dog. ".repeat(500);
const random = crypto.getRandomValues(new Uint8Array(60_000));
const chunks = [
  "",
  "short",
  text,
  "ünï©ødé €\u{1F50C}",
  new Uint8Array(0),
  new Uint8Array([1, 2, 3]),
  random,
  new Uint8Array(5_000_000).fill(7),
  "x".repeat(5_000_000),
];

for (const perMessageDeflate of [false, true]) {
  const server = serveEcho({ protocol: "two", perMessageDeflate });
  const stream = new WebSocketStream(server.url, { protocols: ["one", "two"] });
  assertEquals(stream.url, server.url);
  const connection = await stream.opened;
  assertEquals(Object.keys(connection), [
    "extensions",
    "protocol",
    "readable",
    "writable",
  ]);
  const { readable, writable, protocol, extensions } = connection;
  assertEquals(readable instanceof ReadableStream, true);
  assertEquals(writable instanceof WritableStream, true);
  assertEquals(protocol, "two");
  assertEquals(extensions, perMessageDeflate ? "permessage-deflate" : "");

  const writer = writable.getWriter();
  const reader = readable.getReader();
  for (const chunk of chunks) {
    await writer.write(chunk);
    const { value, done } = await reader.read();
    assertEquals(done, false);
    assertEquals(value.constructor, chunk.constructor);
    assertEquals(value.length, chunk.length);
    assertEquals(value.every?.((byte, i) => byte === chunk[i]) ?? true, true);
    assertEquals(typeof value !== "string" || value === chunk, true);
  }
  // All at once, and the connection closes behind the last.
  const written = chunks.map((chunk) => writer.write(chunk));
  for (const chunk of chunks) {
    assertEquals((await reader.read()).value.length, chunk.length);
  }
  await Promise.all(written);
  const closing = writer.close();
  assertEquals(await reader.read(), { value: undefined, done: true });
  await closing;
  assertEquals(await stream.closed, { closeCode: 1005, reason: "" });
  await server.stop();
}

// A script may leave the offer of compression out.
const server = serveEcho({ perMessageDeflate: true });
const stream = new WebSocketStream(server.url, { perMessageDeflate: false });
assertEquals((await stream.opened).extensions, "");
stream.close();
await stream.closed;
await server.stop();
console.log("ok");
