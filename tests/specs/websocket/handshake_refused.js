// flags: --allow-net
// deno: gives the close event code 0 instead of 1006
// Answers that are no handshake: each is an error event, then close 1006, and
// nothing else breaks.
import { assertEquals, once } from "../_assert.js";
import { acceptKey, header, rawServer, write } from "../_raw.js";

const good = {
  Upgrade: "websocket",
  Connection: "Upgrade",
  "Sec-WebSocket-Accept": "KEY",
};
const answers = {
  "status 200": ["HTTP/1.1 200 OK", { ...good, "Content-Length": "0" }],
  "status 404": ["HTTP/1.1 404 Not Found", { "Content-Length": "0" }],
  "status 302": ["HTTP/1.1 302 Found", { Location: "/", "Content-Length": 0 }],
  "no Upgrade": [undefined, { ...good, Upgrade: undefined }],
  "wrong Upgrade": [undefined, { ...good, Upgrade: "h2c" }],
  "no Connection": [undefined, { ...good, Connection: undefined }],
  "wrong Connection": [undefined, { ...good, Connection: "keep-alive" }],
  "no Accept": [undefined, { ...good, "Sec-WebSocket-Accept": undefined }],
  "wrong Accept": [undefined, {
    ...good,
    "Sec-WebSocket-Accept": "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
  }],
  "subprotocol not asked for": [undefined, {
    ...good,
    "Sec-WebSocket-Protocol": "chat",
  }],
  "extension not asked for": [undefined, {
    ...good,
    "Sec-WebSocket-Extensions": "x-unknown",
  }],
  "garbage": ["220 smtp.example.org ESMTP", {}],
  "silence": null,
};

for (const [name, answer] of Object.entries(answers)) {
  const { url, done } = rawServer(async (conn, _reader, head) => {
    if (answer === null) return;
    const key = await acceptKey(header(head, "sec-websocket-key"));
    const [start = "HTTP/1.1 101 Switching Protocols", headers] = answer;
    const lines = Object.entries(headers)
      .filter(([_name, value]) => value !== undefined)
      .map(([name, value]) => `${name}: ${value}\r\n`.replace("KEY", key));
    await write(conn, `${start}\r\n${lines.join("")}\r\n`);
    await conn.read(new Uint8Array(1)).catch(() => null);
  });
  const socket = new WebSocket(url);
  const log = [];
  socket.onopen = () => log.push("open");
  socket.onerror = (event) => {
    assertEquals(event.type, "error");
    assertEquals(socket.readyState, WebSocket.CLOSED, name);
    log.push("error");
  };
  const { code, reason, wasClean } = await once(socket, "close");
  assertEquals([code, reason, wasClean], [1006, "", false], name);
  assertEquals(log, ["error"], name);
  await done;
}

// A good one among them opens: the tokens' case and neighbours do not matter.
const { url, done } = rawServer(async (conn, reader, head) => {
  const key = await acceptKey(header(head, "sec-websocket-key"));
  await write(
    conn,
    "HTTP/1.1 101 Fine\r\nUPGRADE: WebSocket\r\nconnection: keep-alive, UPGRADE" +
      `\r\nsec-websocket-accept:   ${key}  \r\n\r\n`,
  );
  await reader.close();
});
const socket = new WebSocket(url);
await once(socket, "open");
socket.close();
await once(socket, "close");
await done;
console.log("ok");
