// flags: --allow-net
// The codes and reasons that close() takes.
import { assertEquals, assertThrows, once } from "../_assert.js";
import { serveSockets } from "../_server.js";

const server = serveSockets(() => {});
const socket = new WebSocket(server.url);
await once(socket, "open");
for (const code of [0, 999, 1001, 1005, 1006, 2999, 5000, 65536, -1, "x"]) {
  assertThrows(() => socket.close(code), "InvalidAccessError");
}
assertThrows(() => socket.close(1000, "x".repeat(124)), "SyntaxError");
assertThrows(() => socket.close(1000, "ä".repeat(62)), "SyntaxError");
assertThrows(() => socket.close(1000, Symbol("reason")), "TypeError");
// Conversions come before checks, and the code's check before the reason's.
assertThrows(() => socket.close(1, Symbol("reason")), "TypeError");
assertThrows(() => socket.close(1, "x".repeat(124)), "InvalidAccessError");
// A number that is too large or too small is clamped, not taken modulo 2^16.
for (const code of [65536 + 3000, -61536, Infinity, NaN]) {
  assertThrows(() => socket.close(code), "InvalidAccessError");
}
assertEquals(socket.readyState, WebSocket.OPEN);
// It is rounded, and to the even neighbour where there are two: 3000.
assertThrows(() => socket.close(2999.4), "InvalidAccessError");
socket.close(2999.5, "x".repeat(123));
assertEquals(socket.readyState, WebSocket.CLOSING);
socket.close();
socket.close(4999, "too late");
const { code, reason, wasClean } = await once(socket, "close");
assertEquals([code, reason, wasClean], [3000, "x".repeat(123), true]);
socket.close();
assertEquals(socket.readyState, WebSocket.CLOSED);
await server.stop();
console.log("ok");
