// flags: --allow-net
// deno: WebSocketStream needs --unstable-net
// Who does not ask how a connection ended is not told: no uncaught error.
import { assertEquals, assertRejects } from "../_assert.js";
import { rawWebSocketServer } from "../_raw.js";

const unhandled = [];
addEventListener("unhandledrejection", (event) => {
  event.preventDefault();
  unhandled.push(String(event.reason));
});

const refused = new WebSocketStream("ws://127.0.0.1:1/");
await assertRejects(refused.opened, "WebSocketError");

const peer = rawWebSocketServer(() => {});
const stream = new WebSocketStream(peer.url);
const { readable } = await stream.opened;
await assertRejects(readable.getReader().read(), "WebSocketError");
await peer.done;

for (let i = 0; i < 3; i++) await new Promise((next) => setTimeout(next, 0));
assertEquals(unhandled, []);
console.log("ok");
