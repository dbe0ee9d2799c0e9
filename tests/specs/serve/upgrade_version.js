// flags: --allow-net
// deno: it looks at no version and no method, and takes a key of any length
// RFC 6455 section 4.2.1: GET, version 13, a key of 16 bytes.
import { assert } from "../_assert.js";
import { Reader, upgradeRequest, write } from "../_raw.js";

const server = Deno.serve(
  { hostname: "127.0.0.1", port: 0, onListen() {} },
  (request) => {
    try {
      return Deno.upgradeWebSocket(request).response;
    } catch (error) {
      return new Response(error.name, { status: 400 });
    }
  },
);
const { port } = server.addr;
for (
  const [headers, start] of [
    [{ "Sec-WebSocket-Version": "8" }],
    [{ "Sec-WebSocket-Version": undefined }],
    [{ "Sec-WebSocket-Key": "dG9vIHNob3J0" }],
    [{ "Sec-WebSocket-Key": "not base64 at all!!" }],
    [{}, "POST / HTTP/1.1"],
  ]
) {
  const conn = await Deno.connect({ hostname: "127.0.0.1", port });
  await write(conn, upgradeRequest(headers, start));
  const head = await new Reader(conn).head();
  assert(/^HTTP\/1\.1 4(00|26) /.test(head), JSON.stringify(headers) + head);
  conn.close();
}
await server.shutdown();
console.log("ok");
