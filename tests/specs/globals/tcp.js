// flags: --allow-net
// Deno.listen and Deno.connect: bytes both ways, streams, half-close.
import { assertEquals, assertRejects } from "../_assert.js";

const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
assertEquals(listener.addr.transport, "tcp");
const serving = (async () => {
  for await (const conn of listener) {
    await conn.readable.pipeTo(conn.writable);
  }
})();
const conn = await Deno.connect({ port: listener.addr.port });
assertEquals(conn.remoteAddr.port, listener.addr.port);
await conn.write(new TextEncoder().encode("echo"));
await conn.closeWrite();
assertEquals(await new Response(conn.readable).text(), "echo");
listener.close();
await serving;
await assertRejects(
  Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port }),
  "ConnectionRefused",
);
console.log("ok");
