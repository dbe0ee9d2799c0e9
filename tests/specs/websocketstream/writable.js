// flags: --allow-net
// deno: WebSocketStream needs --unstable-net
// What may be written, and what becomes of it.
import { assert, assertEquals, assertRejects } from "../_assert.js";
import { CLOSE, frame, rawWebSocketServer, write } from "../_raw.js";
import { serveEcho } from "../_server.js";

const server = serveEcho();
async function open() {
  const stream = new WebSocketStream(server.url);
  const { readable, writable } = await stream.opened;
  const [reader, writer] = [readable.getReader(), writable.getWriter()];
  return { stream, reader, writer };
}

// A BufferSource is a binary message with what it has when its turn comes,
// anything else is text.
{
  const { stream, reader, writer } = await open();
  const bytes = new Uint8Array([1, 2, 3, 4, 5, 6, 7, 8]);
  const detached = new ArrayBuffer(8);
  detached.transfer();
  const chunks = [
    [bytes, bytes],
    [bytes.buffer, bytes],
    [bytes.subarray(2, 5), new Uint8Array([3, 4, 5])],
    [new Uint8Array(0), new Uint8Array(0)],
    [new DataView(bytes.buffer, 1, 2), new Uint8Array([2, 3])],
    [new Uint16Array([0x0201]), new Uint8Array([1, 2])],
    [new Float64Array(1), new Uint8Array(8)],
    [new BigInt64Array([-1n]), new Uint8Array(8).fill(255)],
    [detached, new Uint8Array(0)],
    ["text", "text"],
    ["", ""],
    ["a\ud800b", "a\ufffdb"],
    [new String("object"), "object"],
    [5, "5"],
    [null, "null"],
    [undefined, "undefined"],
    [true, "true"],
    [10n, "10"],
    [{ toString: () => "own" }, "own"],
    [[1, [2]], "1,2"],
    [new Blob(["x"]), "[object Blob]"],
  ];
  for (const [chunk, expected] of chunks) {
    await writer.write(chunk);
    assertEquals((await reader.read()).value, expected);
  }
  const late = new Uint8Array([1]);
  const first = writer.write("first");
  const second = writer.write(late);
  late[0] = 2;
  await Promise.all([first, second]);
  assertEquals((await reader.read()).value, "first");
  assertEquals((await reader.read()).value, new Uint8Array([2]));
  stream.close();
  await stream.closed;
}

// What cannot be converted is a TypeError; the writable is errored with it, as
// with any other sink, and the readable goes on.
const resizable = new ArrayBuffer(8, { maxByteLength: 16 });
for (
  const chunk of [
    Symbol(),
    { toString: null, valueOf: null },
    {
      toString() {
        return this;
      },
    },
    resizable,
    new Uint8Array(resizable),
    new DataView(resizable),
    new SharedArrayBuffer(8),
    new Uint8Array(new SharedArrayBuffer(8)),
    new DataView(new SharedArrayBuffer(8)),
  ]
) {
  const { stream, reader, writer } = await open();
  await writer.write("before");
  const error = await assertRejects(writer.write(chunk), "TypeError");
  assert(await writer.closed.catch((other) => other) === error);
  assert(await writer.write("after").catch((other) => other) === error);
  assertEquals((await reader.read()).value, "before");
  stream.close();
  assertEquals(await reader.read(), { value: undefined, done: true });
  await stream.closed;
}
{
  const { stream, writer } = await open();
  const thrown = new RangeError("mine");
  const chunk = {
    toString() {
      throw thrown;
    },
  };
  assert(await writer.write(chunk).catch((error) => error) === thrown);
  stream.close();
  await stream.closed;
}

// close() of the writer comes behind what was written, and lasts until the
// connection has closed.
{
  let isClosed = false;
  const peer = rawWebSocketServer(async (conn, reader) => {
    const frames = [];
    for (let next; (next = await reader.frame()).opcode !== CLOSE;) {
      frames.push(new TextDecoder().decode(next.payload));
    }
    assertEquals(isClosed, false);
    await write(conn, frame(CLOSE));
    await reader.bytes(1);
    return frames;
  });
  const stream = new WebSocketStream(peer.url);
  const writer = (await stream.opened).writable.getWriter();
  const written = ["1", "2", "3"].map((chunk) => writer.write(chunk));
  const closing = writer.close().then(() => isClosed = true);
  await assertRejects(writer.write("late"), "TypeError");
  await Promise.all(written);
  await closing;
  await writer.closed;
  assertEquals(await stream.closed, { closeCode: 1005, reason: "" });
  assertEquals(await peer.done, ["1", "2", "3"]);
}

// close() of the stream does not wait for what the writable has in line: that
// is refused, and not lost silently.
{
  const { stream, reader, writer } = await open();
  await writer.write("sent");
  assertEquals((await reader.read()).value, "sent");
  const first = writer.write("in time");
  const second = writer.write("late");
  stream.close();
  await first;
  await assertRejects(second, "InvalidStateError");
  await assertRejects(writer.closed, "InvalidStateError");
  assertEquals(await stream.closed, { closeCode: 1005, reason: "" });
}
await server.stop();
console.log("ok");
