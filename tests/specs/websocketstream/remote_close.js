// flags: --allow-net
// deno: WebSocketStream needs --unstable-net
// How a connection ends that the script did not close.
import { assert, assertEquals, assertRejects } from "../_assert.js";
import {
  BINARY,
  CLOSE,
  closePayload,
  concat,
  frame,
  PING,
  rawWebSocketServer,
  TEXT,
  write,
} from "../_raw.js";

/** Opens a stream to a peer that sends `bytes`, and then does `then`. */
async function open(bytes, then = (_conn, reader) => reader.close()) {
  const server = rawWebSocketServer(async (conn, reader) => {
    await write(conn, bytes);
    return await then(conn, reader);
  });
  const stream = new WebSocketStream(server.url);
  return { stream, done: server.done, ...await stream.opened };
}

// Cleanly: the readable ends, and the writable takes no more.
for (
  const [payload, closeCode, reason] of [
    ["", 1005, ""],
    [closePayload(1000), 1000, ""],
    [closePayload(4000, "robot"), 4000, "robot"],
    [closePayload(1011, "ロボット"), 1011, "ロボット"],
  ]
) {
  const { stream, readable, writable, done } = await open(
    frame(CLOSE, payload),
  );
  const closed = await stream.closed;
  assertEquals(Object.keys(closed), ["closeCode", "reason"]);
  assertEquals(closed, { closeCode, reason });
  assertEquals(await done, [closeCode, reason], "the answer");
  const reader = readable.getReader();
  assertEquals(await reader.read(), { value: undefined, done: true });
  const writer = writable.getWriter();
  const text = "Cannot write to a closed WebSocketStream";
  await assertRejects(writer.ready, "InvalidStateError", text);
  await assertRejects(writer.closed, "InvalidStateError", text);
  await assertRejects(writer.write(""), "InvalidStateError", text);
  // Too late to matter.
  stream.close({ closeCode: 4001 });
  await reader.cancel();
  await writer.abort();
}

// Behind messages that were not read, the Close frame waits for them.
{
  const messages = ["1", "2", "3"].map((text) => frame(TEXT, text));
  const { stream, readable, done } = await open(
    concat(...messages, frame(CLOSE, closePayload(4000))),
  );
  let isClosed = false;
  stream.closed.then(() => isClosed = true);
  const reader = readable.getReader();
  for (const text of ["1", "2", "3"]) {
    assertEquals(isClosed, false);
    assertEquals((await reader.read()).value, text);
  }
  assertEquals((await reader.read()).done, true);
  assertEquals((await stream.closed).closeCode, 4000);
  assertEquals(await done, [4000, ""]);
}

// What was read stays readable when the connection has closed.
{
  const { stream, readable } = await open(
    concat(frame(TEXT, "kept"), frame(CLOSE, closePayload(1000))),
  );
  const reader = readable.getReader();
  const first = reader.read();
  await stream.closed;
  assertEquals(await first, { value: "kept", done: false });
  assertEquals(await reader.read(), { value: undefined, done: true });
}

/** The same error everywhere: where the end is no clean one. */
async function uncleanly(bytes, then, text, closeCode = 1006, reason = "") {
  const { stream, readable, writable, done } = await open(bytes, then);
  const error = await assertRejects(stream.closed, "WebSocketError", text);
  assert(error instanceof WebSocketError);
  assertEquals([error.closeCode, error.reason], [closeCode, reason]);
  const writer = writable.getWriter();
  const reader = readable.getReader();
  for (
    const promise of [
      reader.read(),
      reader.closed,
      writer.ready,
      writer.closed,
      writer.write(""),
      writer.close(),
    ]
  ) {
    await promise.then(
      () => assert(false, "it is errored"),
      (other) => assert(other === error || other instanceof TypeError),
    );
  }
  assert(await reader.read().catch((other) => other) === error);
  assert(await writer.ready.catch((other) => other) === error);
  return await done;
}

await uncleanly(new Uint8Array(0), () => {}, "Unexpected EOF");
await uncleanly(frame(PING, "ping"), () => {}, "Unexpected EOF");
// In the middle of a message.
await uncleanly(frame(TEXT, "cut").slice(0, 3), () => {}, "Unexpected EOF");

// What breaks the protocol is answered with the code that it asks for.
const answer = async (_conn, reader) => (await reader.close())[0];
const broken = [
  [frame(TEXT, "masked", { mask: true }), "mask", 1002],
  [frame(TEXT, "", { first: 0xf1 }), "", 1002],
  [frame(TEXT, [0xff]), "UTF-8", 1007],
  [
    concat(frame(TEXT, [0xe2, 0x82], { fin: false }), frame(0, [0x41])),
    "",
    1007,
  ],
  [frame(CLOSE, [1]), "", 1002],
  [frame(CLOSE, closePayload(1005)), "", 1002],
  [concat([0x82, 127, 0, 0, 0, 255, 0, 0, 0, 0]), "", 1009],
];
for (const [bytes, text, code] of broken) {
  assertEquals(await uncleanly(bytes, answer, text), code);
}

// The same while the stream has a message in line: first comes first.
{
  const { stream, readable, done } = await open(
    concat(frame(BINARY, [1]), frame(BINARY, [2]), frame(TEXT, [0xff])),
    answer,
  );
  const reader = readable.getReader();
  assertEquals((await reader.read()).value, new Uint8Array([1]));
  assertEquals((await reader.read()).value, new Uint8Array([2]));
  await assertRejects(reader.read(), "WebSocketError", "UTF-8");
  await assertRejects(stream.closed, "WebSocketError", "UTF-8");
  assertEquals(await done, 1007);
}

// The peer does not answer the script's Close frame.
{
  const { stream, readable, done } = await open(
    new Uint8Array(0),
    async (_conn, reader) => await reader.close(),
  );
  const read = readable.getReader().read();
  stream.close({ closeCode: 4000, reason: "because" });
  const error = await assertRejects(stream.closed, "WebSocketError");
  assertEquals([error.closeCode, error.reason], [1006, ""]);
  assert(await read.catch((other) => other) === error);
  assertEquals(await done, [4000, "because"]);
}

// It answers with something else: its word counts.
{
  const { stream } = await open(new Uint8Array(0), async (conn, reader) => {
    await reader.close();
    await write(conn, frame(CLOSE, closePayload(4222, "remote")));
    await reader.bytes(1);
  });
  stream.close({ closeCode: 4111, reason: "local" });
  assertEquals(await stream.closed, { closeCode: 4222, reason: "remote" });
}
console.log("ok");
