// flags: --allow-net
// deno: WebSocketStream needs --unstable-net
// What close(), cancel(), abort() and the end of the writable put on the wire.
import { assertEquals, assertRejects, assertThrows } from "../_assert.js";
import { CLOSE, frame, rawWebSocketServer, write } from "../_raw.js";

/** Opens a stream, has `body` close it, and returns both sides' view. */
async function closing(body) {
  const server = rawWebSocketServer(async (conn, reader) => {
    const { payload } = await reader.frame();
    await write(conn, frame(CLOSE, payload));
    await reader.bytes(1);
    return payload;
  });
  const stream = new WebSocketStream(server.url);
  const connection = await stream.opened;
  await body(stream, connection);
  const { closeCode, reason } = await stream.closed;
  const payload = await server.done;
  assertEquals(
    [...payload.slice(2)],
    [...new TextEncoder().encode(reason)],
  );
  const code = payload.length === 0 ? 1005 : payload[0] * 256 + payload[1];
  assertEquals(code, closeCode);
  // Whichever way: the readable ends, and the writable takes no more.
  if (!connection.readable.locked) {
    const { done } = await connection.readable.getReader().read();
    assertEquals(done, true);
  }
  if (!connection.writable.locked) {
    const late = connection.writable.getWriter().write("late");
    await late.then(() => assertEquals("sent", "refused"), () => {});
  }
  return [closeCode, reason];
}

const bySelf = (closeInfo) =>
  closing(async (stream, { writable }) => {
    stream.close(closeInfo);
    const writer = writable.getWriter();
    const text = "Cannot write to a closed WebSocketStream";
    await assertRejects(writer.ready, "InvalidStateError", text);
    await assertRejects(writer.write("late"), "InvalidStateError", text);
    writer.releaseLock();
  });
assertEquals(await bySelf(), [1005, ""]);
assertEquals(await bySelf(null), [1005, ""]);
assertEquals(await bySelf({}), [1005, ""]);
assertEquals(await bySelf({ reason: "" }), [1005, ""]);
assertEquals(await bySelf({ closeCode: 1000 }), [1000, ""]);
assertEquals(await bySelf({ closeCode: "4999" }), [4999, ""]);
assertEquals(await bySelf({ reason: "why" }), [1000, "why"]);
assertEquals(await bySelf({ closeCode: 3000, reason: "€" }), [3000, "€"]);
const long = "x".repeat(123);
assertEquals(await bySelf({ reason: long }), [1000, long]);
// The second one is too late.
assertEquals(
  await closing((stream) => {
    stream.close({ closeCode: 3001 });
    stream.close({ closeCode: 3002 });
  }),
  [3001, ""],
);

// An error of another connection, with a code that is not for the wire.
const refused = new WebSocketStream("ws://127.0.0.1:1/");
await assertRejects(refused.opened, "WebSocketError");
const foreign = await assertRejects(refused.closed, "WebSocketError");
assertEquals(foreign.closeCode, 1006);

// Through the streams; only a WebSocketError says with which code.
const ways = {
  cancel: ({ readable }, reason) => readable.cancel(reason),
  cancelReader: ({ readable }, reason) => readable.getReader().cancel(reason),
  abort: ({ writable }, reason) => writable.abort(reason),
  abortWriter: ({ writable }, reason) => writable.getWriter().abort(reason),
};
for (const end of Object.values(ways)) {
  const by = (reason) => closing((_, connection) => end(connection, reason));
  assertEquals(await by(), [1005, ""]);
  assertEquals(await by({ closeCode: 3333, reason: "no" }), [1005, ""]);
  assertEquals(await by(new Error("no")), [1005, ""]);
  const exception = Object.assign(new DOMException("", "AbortError"), {
    closeCode: 3333,
  });
  assertEquals(await by(exception), [1005, ""]);
  assertEquals(await by(new WebSocketError("no")), [1005, ""]);
  assertEquals(await by(foreign), [1005, ""]);
  assertEquals(
    await by(new WebSocketError("", { closeCode: 3333 })),
    [3333, ""],
  );
  assertEquals(
    await by(new WebSocketError("", { reason: "why" })),
    [1000, "why"],
  );
  const both = { closeCode: 4444, reason: "why" };
  assertEquals(await by(new WebSocketError("", both)), [4444, "why"]);
}
assertEquals(
  await closing((_, { writable }) => void writable.getWriter().close()),
  [1005, ""],
);
assertEquals(
  await closing((_, { writable }) => void writable.close()),
  [1005, ""],
);

// Wrong arguments change nothing, in any state.
const server = rawWebSocketServer(async (conn, reader) => {
  const { payload } = await reader.frame();
  await write(conn, frame(CLOSE, payload));
});
const stream = new WebSocketStream(server.url);
const refuses = () => {
  const close = (closeInfo) => () => stream.close(closeInfo);
  for (const closeCode of [0, 999, 1001, 1005, 2999, 5000, null]) {
    assertThrows(close({ closeCode }), "InvalidAccessError");
  }
  for (const closeCode of [-1, 65536, NaN, "x"]) {
    assertThrows(close({ closeCode }), "TypeError");
  }
  assertThrows(close({ reason: "x".repeat(124) }), "SyntaxError");
  assertThrows(close({ reason: "€".repeat(42) }), "SyntaxError");
  for (const closeInfo of [true, 1000, "x"]) {
    assertThrows(close(closeInfo), "TypeError");
  }
};
refuses();
await stream.opened;
refuses();
stream.close();
refuses();
await stream.closed;
refuses();
stream.close();
await server.done;

// Before the connection is there, both promises reject.
for (const wait of [false, true]) {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const connecting = new WebSocketStream(
    `ws://127.0.0.1:${listener.addr.port}/`,
  );
  let conn;
  if (wait) conn = await listener.accept();
  connecting.close({ closeCode: 4000 });
  const text = "before the connection is established";
  const opened = await assertRejects(connecting.opened, "WebSocketError", text);
  const closed = await assertRejects(connecting.closed, "WebSocketError", text);
  assertEquals([opened.closeCode, closed.closeCode], [null, 1006]);
  if (wait) {
    // The request may have come, and then the end.
    for (const chunk = new Uint8Array(4096); await conn.read(chunk) !== null;);
    conn.close();
  }
  listener.close();
}
console.log("ok");
