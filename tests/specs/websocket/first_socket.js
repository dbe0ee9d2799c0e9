// engine: v8
// flags: --allow-net
// Making the first socket of a program runs no microtasks in the middle of it. On
// QuickJS `WebSocket` loads when it is first read, and that does.
import { assertEquals, once } from "../_assert.js";

const log = [];
await new Promise((resolve) => setTimeout(resolve));
queueMicrotask(() => log.push("microtask"));
const socket = new WebSocket("ws://127.0.0.1:1/");
socket.close();
log.push("script");
await once(socket, "close");
assertEquals(log, ["script", "microtask"]);
console.log("ok");
