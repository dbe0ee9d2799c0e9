// flags: --allow-net
// deno: WebSocketStream needs --unstable-net
// A peer that does not read stops the writer.
import { assert, assertEquals, assertRejects } from "../_assert.js";
import {
  CLOSE,
  closePayload,
  frame,
  rawWebSocketServer,
  write,
} from "../_raw.js";
import { echo, stir } from "./_stir.js";

/** A peer that does nothing before it is told to; then `body(conn, reader)`. */
function slowPeer(body) {
  const { promise, resolve } = Promise.withResolvers();
  const server = rawWebSocketServer(async (conn, reader) => {
    await promise;
    return await body(conn, reader);
  });
  return { ...server, go: resolve };
}

/** Reads a frame of 64 KiB or more; returns its length and its first byte. */
async function largeFrame(conn) {
  const buffer = new Uint8Array(65536);
  const take = async (length) => {
    const read = await conn.read(buffer.subarray(0, length));
    assert(read !== null, "the connection goes on");
    return read;
  };
  for (let read = 0; read < 15;) {
    const part = new Uint8Array(15 - read);
    const count = await conn.read(part);
    buffer.set(part.subarray(0, count), read);
    read += count;
  }
  assertEquals(buffer[1], 0x80 | 127, "masked, with a length of 8 bytes");
  const length = Number(new DataView(buffer.buffer).getBigUint64(2));
  const first = buffer[10] ^ buffer[14];
  for (let left = length - 1; left > 0;) {
    left -= await take(Math.min(left, buffer.length));
  }
  return [length, first];
}

const MESSAGES = 64;
const LENGTH = 1 << 20;

// Many messages: the writes wait, and all of them arrive, in order.
{
  const peer = slowPeer(async (conn, reader) => {
    for (let i = 0; i < MESSAGES; i++) {
      assertEquals(await largeFrame(conn), [LENGTH, i]);
    }
    return await reader.close();
  });
  const stream = new WebSocketStream(peer.url);
  const { writable } = await stream.opened;
  const writer = writable.getWriter();
  let written = 0;
  const all = (async () => {
    for (let i = 0; i < MESSAGES; i++) {
      await writer.write(new Uint8Array(LENGTH).fill(i));
      written++;
    }
  })();
  await stir();
  assert(written < MESSAGES, "the writer is stopped");
  assert(writer.desiredSize <= 0);
  peer.go();
  await all;
  const closing = writer.close();
  assertEquals(await peer.done, [1005, ""]);
  await assertRejects(closing, "WebSocketError");
}

// One large message is written when the peer has read of it.
{
  const peer = slowPeer(async (conn, reader) => {
    const [length] = await largeFrame(conn);
    await write(conn, frame(CLOSE, closePayload(1000)));
    await reader.close();
    return length;
  });
  const stream = new WebSocketStream(peer.url);
  const { writable } = await stream.opened;
  let isWritten = false;
  const pending = writable.getWriter().write("x".repeat(32 << 20));
  pending.then(() => isWritten = true);
  await stir();
  assertEquals(isWritten, false);
  peer.go();
  await pending;
  assertEquals(await stream.closed, { closeCode: 1000, reason: "" });
  assertEquals(await peer.done, 32 << 20);
}

// Small ones are collected up to a bound, and the writer goes on meanwhile.
{
  let read = 0;
  const peer = slowPeer(async (_conn, reader) => {
    for (let next; (next = await reader.frame()).opcode !== CLOSE;) {
      read += next.payload.length;
    }
  });
  const stream = new WebSocketStream(peer.url);
  const { writable } = await stream.opened;
  const writer = writable.getWriter();
  let sent = 0;
  for (; sent < 60_000; sent += 1000) await writer.write(new Uint8Array(1000));
  stream.close();
  peer.go();
  await peer.done;
  assertEquals(read, sent);
  await assertRejects(stream.closed, "WebSocketError");
}

// The script gives up: abort() does not wait for the write.
{
  const peer = slowPeer(async (conn, reader) => {
    const [length] = await largeFrame(conn);
    return [length, ...await reader.close()];
  });
  const stream = new WebSocketStream(peer.url);
  const { writable } = await stream.opened;
  const writer = writable.getWriter();
  const pending = writer.write(new Uint8Array(32 << 20));
  const queued = writer.write("never");
  await stir(10);
  const reason = new WebSocketError("enough", { closeCode: 4000 });
  const aborted = writer.abort(reason);
  assert(await pending.catch((error) => error) === reason);
  assert(await queued.catch((error) => error) === reason);
  await aborted;
  peer.go();
  // A frame that was begun is finished.
  assertEquals(await peer.done, [32 << 20, 4000, ""]);
  await assertRejects(stream.closed, "WebSocketError");
}

// The peer closes while a write waits: what it did not read is lost, and the
// end is no clean one, though it has the peer's code.
{
  const peer = slowPeer(async (conn, reader) => {
    await write(conn, frame(CLOSE, closePayload(4567, "enough")));
    await largeFrame(conn);
    return await reader.close();
  });
  const stream = new WebSocketStream(peer.url);
  const { writable } = await stream.opened;
  const writer = writable.getWriter();
  const pending = writer.write(new Uint8Array(32 << 20));
  const queued = writer.write("never");
  const both = Promise.allSettled([pending, queued]);
  await stir(10);
  peer.go();
  const closed = await assertRejects(stream.closed, "WebSocketError");
  assertEquals([closed.closeCode, closed.reason], [4567, "enough"]);
  // At once: no timer stands between.
  let isTimeOver = false;
  setTimeout(() => isTimeOver = true);
  assert(await pending.catch((error) => error) === closed);
  assert(!isTimeOver);
  const error = await assertRejects(queued, "InvalidStateError");
  assert((await both)[1].reason === error);
  assert(await writer.write("").catch((other) => other) === error);
  assertEquals(await peer.done, [4567, "enough"]);
}

// The peer goes while a write waits.
{
  const peer = slowPeer(() => {});
  const stream = new WebSocketStream(peer.url);
  const { readable, writable } = await stream.opened;
  const writer = writable.getWriter();
  const pending = writer.write(new Uint8Array(32 << 20));
  await stir(10);
  peer.go();
  const error = await assertRejects(pending, "WebSocketError");
  assertEquals(error.closeCode, 1006);
  assert(await stream.closed.catch((other) => other) === error);
  assert(await writer.closed.catch((other) => other) === error);
  assert(await readable.getReader().read().catch((other) => other) === error);
}
await echo.stop();
console.log("ok");
