// flags: --allow-net
// deno: the constants are not on the prototype
// What the constructor accepts and refuses, and the state of a new socket.
import { assertEquals, assertThrows, once } from "../_assert.js";
import { serveEcho } from "../_server.js";

for (
  const url of [
    "not a url",
    "",
    "ws://",
    "ws://[::1",
    "ftp://127.0.0.1/",
    "mailto:a@example.org",
    "ws://127.0.0.1/#fragment",
    "ws://127.0.0.1/#",
  ]
) {
  assertThrows(() => new WebSocket(url), "SyntaxError");
}
for (
  const protocols of [
    "",
    "with space",
    "comma,comma",
    "umläut",
    "a\u0000b",
    ["a", "a"],
    ["chat", "CHAT", "chat"],
    ["ok", "not/ok"],
  ]
) {
  assertThrows(
    () => new WebSocket("ws://127.0.0.1/", protocols),
    "SyntaxError",
  );
}
assertThrows(() => new WebSocket(), "TypeError");
assertThrows(() => WebSocket("ws://127.0.0.1/"), "TypeError");
assertThrows(() => new WebSocket(Symbol("url")), "TypeError");

const constants = { CONNECTING: 0, OPEN: 1, CLOSING: 2, CLOSED: 3 };
for (const [name, value] of Object.entries(constants)) {
  assertEquals(WebSocket[name], value);
  assertEquals(WebSocket.prototype[name], value);
  const property = Object.getOwnPropertyDescriptor(WebSocket, name);
  assertEquals(property.writable, false);
}

const server = serveEcho();
for (
  const [given, shown] of [
    [server.url, server.url],
    [new URL(server.url), server.url],
    [server.url.replace("ws:", "http:"), server.url],
    [`${server.url}a/../b?q=ä`, `${server.url}b?q=%C3%A4`],
    [server.url.replace("ws:", "WS:"), server.url],
  ]
) {
  const socket = new WebSocket(given);
  assertEquals(socket.url, shown);
  assertEquals(socket.readyState, WebSocket.CONNECTING);
  assertEquals(socket.bufferedAmount, 0);
  assertEquals(socket.protocol, "");
  assertEquals(socket.extensions, "");
  assertEquals(socket.binaryType, "blob");
  for (const name of ["onopen", "onmessage", "onerror", "onclose"]) {
    assertEquals(socket[name], null);
  }
  assertEquals(Object.prototype.toString.call(socket), "[object WebSocket]");
  assertEquals(socket instanceof EventTarget, true);
  await once(socket, "open");
  assertEquals(socket.readyState, WebSocket.OPEN);
  socket.close();
  await once(socket, "close");
  assertEquals(socket.readyState, WebSocket.CLOSED);
}
await server.stop();
console.log("ok");
