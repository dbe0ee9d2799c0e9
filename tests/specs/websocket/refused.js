// flags: --allow-net
// deno: gives the close event code 0 instead of 1006
// Nobody listens: error, then close 1006, and the script goes on.
import { assertEquals, once } from "../_assert.js";

const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
const { port } = listener.addr;
listener.close();

const socket = new WebSocket(`ws://127.0.0.1:${port}/`);
const log = [];
socket.onopen = () => log.push("open");
socket.onerror = (event) => log.push(event.constructor.name);
const { code, reason, wasClean } = await once(socket, "close");
assertEquals([code, reason, wasClean], [1006, "", false]);
assertEquals(log, ["ErrorEvent"]);
assertEquals(socket.readyState, WebSocket.CLOSED);
console.log("ok");
