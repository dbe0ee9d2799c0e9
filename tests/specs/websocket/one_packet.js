// flags: --allow-net
// deno: has no event for a Ping, and no terminate()
// Frames that come in one packet are delivered in order, one by one: what a handler does
// decides about those behind it.
import { assert, assertEquals } from "../_assert.js";
import {
  BINARY,
  CLOSE,
  concat,
  frame,
  PING,
  rawWebSocketServer,
  TEXT,
  write,
} from "../_raw.js";

/**
 * What a client's socket sees of frames that come in one packet: data and types of
 * events. `onEach(log, socket)` is called for each message.
 */
async function seen(frames, onEach = () => {}) {
  const { url, done } = rawWebSocketServer(async (conn, reader) => {
    await write(conn, concat(...frames));
    if (await reader.close() !== null) await write(conn, frame(CLOSE));
  });
  const socket = new WebSocket(url);
  socket.binaryType = "arraybuffer";
  const log = [];
  socket.onmessage = ({ data }) => {
    log.push(typeof data === "string" ? data : data.byteLength);
    onEach(log, socket);
  };
  for (const type of ["ping", "error"]) {
    socket.addEventListener(type, () => log.push(type));
  }
  const { promise, resolve } = Promise.withResolvers();
  socket.onclose = ({ code }) => resolve([...log, code]);
  const all = await promise;
  await done;
  return all;
}

const texts = (from, to) =>
  Array.from({ length: to - from }, (_, i) => `${from + i}`);
const frames = (names) => names.map((name) => frame(TEXT, name));
const end = frame(TEXT, "end");
const closeAtEnd = (log, socket) => {
  if (log.at(-1) === "end") socket.close(1000);
};

// More than anybody would put together.
let log = await seen([...frames(texts(0, 200)), end], closeAtEnd);
assertEquals(log, [...texts(0, 200), "end", 1005]);

// Frames of other kinds between them, and a long message.
log = await seen(
  [
    ...frames(texts(0, 40)),
    frame(PING, "?"),
    ...frames(texts(40, 42)),
    frame(BINARY, [1, 2, 3]),
    frame(TEXT, "é".repeat(10)),
    frame(TEXT, "a", { fin: false }),
    frame(0, "b"),
    frame(TEXT, "x".repeat(5000)),
    end,
  ],
  closeAtEnd,
);
assertEquals(log, [
  ...texts(0, 40),
  "ping",
  "40",
  "41",
  3,
  "é".repeat(10),
  "ab",
  "x".repeat(5000),
  "end",
  1005,
]);

// Nothing is delivered behind close() and terminate().
log = await seen(frames(texts(0, 5)), (log, socket) => {
  if (log.length === 3) socket.close(1000);
});
assertEquals(log, ["0", "1", "2", 1005]);
log = await seen(frames(texts(0, 5)), (log, socket) => {
  if (log.length === 3) socket.terminate();
});
assertEquals(log, ["0", "1", "2", 1006]);

// A handler can be taken away, and another put in its place.
log = await seen([...frames(texts(0, 5)), end], (log, socket) => {
  if (log.length !== 3) return;
  socket.onmessage = null;
  queueMicrotask(() => {
    socket.onmessage = ({ data }) => {
      log.push(`other ${data}`);
      if (data === "end") socket.close(1000);
    };
  });
});
assertEquals(log, ["0", "1", "2", "other 3", "other 4", "other end", 1005]);

// What came before a frame that breaks the protocol was said.
log = await seen([...frames(texts(0, 3)), frame(0xb, "?"), frame(TEXT, "?")]);
assertEquals(log, ["0", "1", "2", "error", 1006]);
log = await seen([...frames(texts(0, 3)), frame(TEXT, [0xff])]);
assertEquals(log, ["0", "1", "2", "error", 1006]);

// Each event is over when the next comes.
const events = [];
log = await seen([...frames(texts(0, 3)), end], (_log, socket) => {
  socket.addEventListener("message", (event) => {
    events.push(event);
    if (event.data === "end") socket.close(1000);
  }, { once: true });
});
assertEquals(log, ["0", "1", "2", "end", 1005]);
for (const event of events) {
  assert(event instanceof MessageEvent);
  assertEquals(event.currentTarget, null);
  assertEquals(event.eventPhase, Event.NONE);
  assertEquals(event.composedPath(), []);
}
console.log("ok");
