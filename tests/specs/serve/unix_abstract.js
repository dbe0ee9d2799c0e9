// flags: --allow-read --allow-write --allow-net
// A unix socket without a file, on Linux: its name begins with a NUL.
import { assertEquals } from "../_assert.js";
import { Reader, write } from "../_raw.js";

const path = `\0duplex-${crypto.randomUUID()}`;
const address = { transport: "unix", path };
const server = Deno.serve({
  path,
  onListen: (listening) => assertEquals(listening, address),
}, (request, info) => {
  assertEquals(info.remoteAddr, address);
  new URL(request.url);
  return new Response("by a name");
});
assertEquals(server.addr, address);
const conn = await Deno.connect(address);
await write(conn, "GET /a HTTP/1.0\r\n\r\n");
const reader = new Reader(conn);
await reader.head();
assertEquals(new TextDecoder().decode(await reader.bytes(9)), "by a name");
conn.close();
await server.shutdown();
console.log("ok");
