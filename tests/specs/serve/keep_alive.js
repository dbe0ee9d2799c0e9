// flags: --allow-net
// Two requests on one connection, by hand.
import { assert, assertEquals } from "../_assert.js";
import { header, Reader, write } from "../_raw.js";

const ports = [];
const server = Deno.serve(
  { hostname: "127.0.0.1", port: 0, onListen() {} },
  (request, info) => {
    ports.push(info.remoteAddr.port);
    return new Response(new URL(request.url).pathname);
  },
);
const { port } = server.addr;
const conn = await Deno.connect({ hostname: "127.0.0.1", port });
const reader = new Reader(conn);
for (const path of ["/one", "/two"]) {
  await write(conn, `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`);
  const head = await reader.head();
  assert(head.startsWith("HTTP/1.1 200 "), head);
  const body = await reader.bytes(Number(header(head, "content-length")));
  assertEquals(new TextDecoder().decode(body), path);
}
conn.close();
assertEquals(ports[0], ports[1]);
await server.shutdown();
console.log("ok");
