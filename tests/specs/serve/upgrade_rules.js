// flags: --allow-net
// Which requests Deno.upgradeWebSocket takes, and what it answers.
import { assert, assertEquals } from "../_assert.js";
import { header, rawClient, Reader, upgradeRequest, write } from "../_raw.js";

const server = Deno.serve(
  { hostname: "127.0.0.1", port: 0, onListen() {} },
  (request) => {
    try {
      return Deno.upgradeWebSocket(request).response;
    } catch (error) {
      const text = `${error.name}: ${error.message}`;
      return new Response(text, { status: 400 });
    }
  },
);
const { port } = server.addr;

for (
  const headers of [
    {},
    { Upgrade: "WebSocket" },
    { Upgrade: "WEBSOCKET", Connection: "UPGRADE" },
    { Connection: "keep-alive, Upgrade" },
    { Connection: "foo ,upgrade,\tbar" },
    { Upgrade: "h2c, websocket" },
    { Origin: "http://example.org" },
  ]
) {
  const { conn, head } = await rawClient(port, headers);
  assert(head.startsWith("HTTP/1.1 101 "), JSON.stringify(headers) + head);
  assertEquals(header(head, "upgrade"), "websocket");
  assertEquals(header(head, "connection").toLowerCase(), "upgrade");
  assertEquals(
    header(head, "sec-websocket-accept"),
    "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
  );
  assertEquals(header(head, "sec-websocket-protocol"), undefined);
  assertEquals(header(head, "sec-websocket-extensions"), undefined);
  conn.close();
}

for (
  const headers of [
    { Upgrade: undefined },
    { Upgrade: "h2c" },
    { Upgrade: "websocket2" },
    { Connection: "keep-alive" },
    { Connection: "upgraded" },
    { "Sec-WebSocket-Key": undefined },
  ]
) {
  const conn = await Deno.connect({ hostname: "127.0.0.1", port });
  const reader = new Reader(conn);
  await write(conn, upgradeRequest(headers));
  const head = await reader.head();
  assert(head.startsWith("HTTP/1.1 400 "), JSON.stringify(headers) + head);
  const body = await reader.bytes(Number(header(head, "content-length")));
  const text = new TextDecoder().decode(body);
  assert(/^(TypeError|Http): /.test(text), text);
  conn.close();
}
await server.shutdown();
console.log("ok");
