// flags: --allow-net
// deno: WebSocketStream needs --unstable-net
// Messages of one packet come one after the other, each when it is asked for;
// in parts, compressed or among control frames they come whole.
import { assertEquals } from "../_assert.js";
import {
  BINARY,
  CLOSE,
  closePayload,
  concat,
  frame,
  PING,
  PONG,
  rawServer,
  rawWebSocketServer,
  switching,
  TEXT,
  write,
} from "../_raw.js";

async function open(url) {
  const stream = new WebSocketStream(url);
  const { readable } = await stream.opened;
  return { stream, readable };
}

// Everything that the first message's reader awaits and that is ready runs
// before the second is read.
{
  const peer = rawWebSocketServer(async (conn, reader) => {
    const texts = ["1", "2", "3"].map((text) => frame(TEXT, text));
    await write(conn, concat(...texts, frame(CLOSE)));
    await reader.close();
  });
  const { stream, readable } = await open(peer.url);
  const log = [];
  for await (const chunk of readable) {
    log.push(chunk);
    for (let hop = 0; hop < 10; hop++) await hop;
    log.push(`${chunk}b`);
  }
  assertEquals(log, ["1", "1b", "2", "2b", "3", "3b"]);
  assertEquals(await stream.closed, { closeCode: 1005, reason: "" });
}

// Asked for in advance, and by a reader that takes its time.
for (const inAdvance of [true, false]) {
  const count = 5000;
  const peer = rawWebSocketServer(async (conn, reader) => {
    const texts = Array.from({ length: count }, (_, i) => frame(TEXT, `${i}`));
    await write(conn, concat(...texts, frame(CLOSE)));
    await reader.close();
  });
  const { stream, readable } = await open(peer.url);
  const reader = readable.getReader();
  if (inAdvance) {
    const reads = Array.from({ length: count + 1 }, () => reader.read());
    const results = await Promise.all(reads);
    assertEquals(results.pop(), { value: undefined, done: true });
    assertEquals(results.every(({ value }, i) => value === `${i}`), true);
  } else {
    for (let i = 0; i < count; i++) {
      assertEquals((await reader.read()).value, `${i}`);
      if (i % 100 === 0) await new Promise((next) => setTimeout(next, 0));
    }
  }
  assertEquals((await stream.closed).closeCode, 1005);
}

// Parts, with Pings between them that are answered while somebody reads.
{
  const peer = rawWebSocketServer(async (conn, reader) => {
    await write(
      conn,
      concat(
        frame(TEXT, "fr", { fin: false }),
        frame(PING, "1"),
        frame(0, "ag", { fin: false }),
        frame(PING, "2"),
        frame(0, "ment"),
        frame(PONG, "unasked"),
      ),
    );
    for (const byte of frame(BINARY, [1, 2, 3])) {
      await write(conn, new Uint8Array([byte]));
    }
    await write(conn, frame(CLOSE, closePayload(4000)));
    const pongs = [];
    for (let next; (next = await reader.frame()).opcode !== CLOSE;) {
      pongs.push(
        `${next.opcode === PONG}${new TextDecoder().decode(next.payload)}`,
      );
    }
    return pongs;
  });
  const { stream, readable } = await open(peer.url);
  const chunks = await Array.fromAsync(readable);
  assertEquals(chunks, ["fragment", new Uint8Array([1, 2, 3])]);
  assertEquals(await peer.done, ["true1", "true2"]);
  assertEquals((await stream.closed).closeCode, 4000);
}

// What comes with the answer to the handshake.
{
  const peer = rawServer(async (conn, reader, head) => {
    const answer = new TextEncoder().encode(await switching(head));
    const frames = concat(frame(TEXT, "1"), frame(TEXT, "2"), frame(CLOSE));
    await write(conn, concat(answer, frames));
    await reader.close();
  });
  const { stream, readable } = await open(peer.url);
  assertEquals(await Array.fromAsync(readable), ["1", "2"]);
  assertEquals((await stream.closed).closeCode, 1005);
}
console.log("ok");
