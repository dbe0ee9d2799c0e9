// flags: --allow-net
// deno: tells of a broken connection in other words
// The error event is an ErrorEvent, as in Deno, with the cause.
import { assert, assertEquals, once } from "../_assert.js";
import { frame, rawWebSocketServer, write } from "../_raw.js";

function check(event, text) {
  assert(event instanceof ErrorEvent, event.constructor.name);
  assertEquals(`${event}`, "[object ErrorEvent]");
  assertEquals(event.isTrusted, true);
  assertEquals([event.bubbles, event.cancelable], [false, false]);
  assert(event.error instanceof Error, "error");
  assert(event.message.includes(text), event.message);
  assert(event.message.includes(event.error.message), event.message);
  assertEquals(Object.keys(event), []);
  const shown = Deno.inspect(event);
  assert(shown.startsWith("ErrorEvent {") && shown.includes(text), shown);
}

// Given up by the script itself: nothing else has this code.
for (const end of ["close", "terminate"]) {
  const socket = new WebSocket("ws://127.0.0.1:1/");
  const closed = once(socket, "close");
  socket[end]();
  const event = await once(socket, "error");
  check(event, "Interrupted: ");
  assertEquals([event.error.name, event.error.code], ["Interrupted", "EINTR"]);
  assert(event.error instanceof Deno.errors.Interrupted);
  await closed;
}

const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
const { port } = listener.addr;
listener.close();
const refused = new WebSocket(`ws://127.0.0.1:${port}/`);
const ended = once(refused, "close");
const failed = await once(refused, "error");
check(failed, "tcp connect error");
assertEquals([failed.error.name, failed.error.code], ["NetworkError", 19]);
await ended;

const { url, done } = rawWebSocketServer(async (conn, reader) => {
  await write(conn, frame(3));
  await reader.close();
});
const broken = new WebSocket(url);
const closed = once(broken, "close");
check(await once(broken, "error"), "opcode");
await closed;
await done;
console.log("ok");
