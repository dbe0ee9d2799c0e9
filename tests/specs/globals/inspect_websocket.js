// flags: --allow-net
// What console.log shows of a socket and its events.
import { assert, once } from "../_assert.js";

const socket = new WebSocket("ws://127.0.0.1:1/");
const shown = Deno.inspect(socket);
assert(shown.startsWith("WebSocket {"), shown);
assert(shown.includes('url: "ws://127.0.0.1:1/"'), shown);
assert(shown.includes("readyState: 0"), shown);
const event = await once(socket, "close");
assert(Deno.inspect(event).startsWith("CloseEvent {"), Deno.inspect(event));
console.log("ok");
