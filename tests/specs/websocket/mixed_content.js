// flags: --allow-net --location https://example.org/
// deno: dials
// A program with an https location may not open insecure connections, unless to
// this machine.
import { assertEquals, assertThrows, once } from "../_assert.js";

for (
  const url of [
    "ws://example.org/",
    "http://example.org/",
    "ws://127.example.org/",
    "ws://localhost.example.org/",
    "ws://notlocalhost/",
    "ws://192.168.0.1/",
    "ws://[::2]/",
  ]
) {
  const error = assertThrows(() => new WebSocket(url), "SecurityError", "wss:");
  assertEquals(error.code, DOMException.SECURITY_ERR);
}
for (
  const url of [
    "ws://localhost:1/",
    "ws://localhost.:1/",
    "ws://a.localhost:1/",
    "ws://127.0.0.1:1/",
    "ws://127.1.2.3:1/",
    "ws://0x7f000001:1/",
    "ws://[::1]:1/",
    "wss://127.0.0.1:1/",
    "wss://[::1]:1/",
  ]
) {
  const socket = new WebSocket(url);
  socket.close();
  assertEquals((await once(socket, "close")).code, 1006);
}
// What is wrong in itself is said first.
assertThrows(() => new WebSocket("ws://example.org/", "a b"), "SyntaxError");
// A relative URL is secure where the location is.
const socket = new WebSocket("/chat");
assertEquals(socket.url, "wss://example.org/chat");
socket.close();
await once(socket, "close");
console.log("ok");
