// flags: --allow-net
// deno: it is an ErrorEvent
// The error event is a plain Event, which has the cause for those who ask.
import { assert, assertEquals, once } from "../_assert.js";
import { frame, rawWebSocketServer, write } from "../_raw.js";

function check(event, text) {
  assert(event.constructor === Event, event.constructor.name);
  assertEquals(`${event}`, "[object Event]");
  assertEquals(event.isTrusted, true);
  assertEquals([event.bubbles, event.cancelable], [false, false]);
  assert(event.error instanceof Error, "error");
  assert(event.message.includes(text), event.message);
  assert(event.message.includes(event.error.message), event.message);
  assertEquals(Object.keys(event), []);
  const shown = Deno.inspect(event);
  assert(shown.startsWith("Event {") && shown.includes(text), shown);
}

const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
const { port } = listener.addr;
listener.close();
const refused = new WebSocket(`ws://127.0.0.1:${port}/`);
const ended = once(refused, "close");
check(await once(refused, "error"), "tcp connect error");
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
