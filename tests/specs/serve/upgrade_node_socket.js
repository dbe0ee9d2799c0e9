// flags: --allow-net
// deno: its server does not close, and messages are not compressed
// A handshake that a server of node:http has read is answered on the socket of its event.
import http from "node:http";
import { assert, assertEquals, assertThrows, once } from "../_assert.js";

const http1 = http.createServer((_request, response) => response.end("hello"));
const refused = [];
http1.on("upgrade", (request, socket, head) => {
  const upgrade = (options) =>
    Deno.upgradeWebSocket(
      new Request(`http://${request.headers.host}${request.url}`, {
        headers: request.headers,
      }),
      options,
    );
  if (request.url === "/refused") {
    for (
      const [options, text] of [
        [{ socket: 1, head }, "event"],
        [{ socket: {}, head }, "must be one of TCP"],
        [{ socket, head: "head" }, "head must be a Uint8Array"],
        [{ socket, head, protocol: "other" }, "protocol list"],
      ]
    ) {
      assertThrows(() => upgrade(options), "TypeError", text);
      refused.push(text);
    }
    socket.end("HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n");
    return;
  }
  const { socket: accepted, response } = upgrade({
    socket,
    head,
    protocol: "chat",
    headers: { "x-answer": "yes" },
    perMessageDeflate: true,
  });
  assertEquals(response.status, 101);
  assertEquals(accepted.readyState, WebSocket.CONNECTING);
  accepted.onopen = () => {
    assertEquals(accepted.readyState, WebSocket.OPEN);
    assertEquals(accepted.remoteAddr.hostname, "127.0.0.1");
    assertThrows(() => upgrade({ socket, head }), "TypeError", "destroyed");
  };
  accepted.onmessage = ({ data }) => accepted.send(data);
});
await new Promise((resolve) => http1.listen(0, "127.0.0.1", resolve));
const { port } = http1.address();

const socket = new WebSocket(`ws://127.0.0.1:${port}/`, ["chat"]);
await once(socket, "open");
assertEquals(socket.protocol, "chat");
assert(socket.extensions.startsWith("permessage-deflate"));
for (const text of ["hello", "a".repeat(1e6)]) {
  socket.send(text);
  assertEquals((await once(socket, "message")).data, text);
}

// What comes in one packet with the request is not lost.
const conn = await Deno.connect({ hostname: "127.0.0.1", port });
const frame = [0x81, 0x82, 0, 0, 0, 0, 0x68, 0x69];
const request = "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n" +
  "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" +
  "Sec-WebSocket-Protocol: chat\r\n" +
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
await conn.write(
  new Uint8Array([...new TextEncoder().encode(request), ...frame]),
);
let answer = "";
const buffer = new Uint8Array(1024);
while (!answer.endsWith("\x81\x02hi")) {
  const count = await conn.read(buffer);
  assert(count !== null, answer);
  answer += String.fromCharCode(...buffer.subarray(0, count));
}
assert(answer.startsWith("HTTP/1.1 101 Switching Protocols\r\n"), answer);
assert(answer.includes("x-answer: yes\r\n"), answer);
assert(answer.includes("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), answer);
conn.close();

const error = once(new WebSocket(`ws://127.0.0.1:${port}/refused`), "error");
assert((await error).message.includes("403"));
assertEquals(refused.length, 4);

// The server waits for neither of the sockets.
await new Promise((resolve) => http1.close(resolve));
socket.close();
assertEquals((await once(socket, "close")).code, 1005);
console.log("ok");
