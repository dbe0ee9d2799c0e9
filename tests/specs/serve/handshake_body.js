// flags: --allow-net
// deno: such a handshake is answered 101, and its socket never opens
// A handshake with a body is refused, whether the body comes or not, and the connection ends.
import { assert, assertEquals } from "../_assert.js";
import { Reader, upgradeRequest, write } from "../_raw.js";

const hostname = "127.0.0.1";
const chunked = { "Transfer-Encoding": "chunked" };
const requests = [
  upgradeRequest({ "Content-Length": "10" }),
  upgradeRequest({ "Content-Length": "5" }) + "hello",
  upgradeRequest(chunked),
  upgradeRequest(chunked) + "5\r\nhello\r\n0\r\n\r\n",
  upgradeRequest(chunked) + "0\r\n\r\n",
];
const upgrades = [
  (request) => Deno.upgradeWebSocket(request).response,
  (request) => Deno.upgradeWebSocket(request.clone()).response,
  async (request) => {
    await null;
    return Deno.upgradeWebSocketStream(request).response;
  },
  (request, info) => void info.upgrade(request),
];
for (const fetch of upgrades) {
  const server = Deno.serve({
    hostname,
    port: 0,
    onListen() {},
    fetch,
    websocket: {},
  });
  for (const request of requests) {
    const conn = await Deno.connect({ hostname, port: server.addr.port });
    const reader = new Reader(conn);
    await write(conn, request);
    const head = await reader.head();
    assert(head.startsWith("HTTP/1.1 400 "), `${request}: ${head}`);
    const text = "Invalid handshake: a WebSocket handshake has no body";
    const body = await reader.bytes(text.length);
    assertEquals(new TextDecoder().decode(body), text);
    conn.close();
  }
  const conn = await Deno.connect({ hostname, port: server.addr.port });
  await write(conn, upgradeRequest({ "Content-Length": "0" }));
  const head = await new Reader(conn).head();
  assert(head.startsWith("HTTP/1.1 101 "), head);
  conn.close();
  await server.shutdown();
}
console.log("ok");
