// flags: --allow-net
// deno: Deno.serveHttp was removed in Deno 2
// deno-lint-ignore-file no-deprecated-deno-api
// A connection that was reset before it is served is one that has ended.
import { assertEquals, assertThrows } from "../_assert.js";

const hostname = "127.0.0.1";
const listener = Deno.listen({ hostname, port: 0 });
const [client, conn] = await Promise.all([
  Deno.connect({ hostname, port: listener.addr.port }),
  listener.accept(),
]);
await conn.write(new Uint8Array(1));
// With something unread, this is a reset.
client.close();
try {
  for (;;) await conn.write(new Uint8Array(1));
} catch {
  // It has arrived.
}
const http = Deno.serveHttp(conn);
assertEquals(await http.nextRequest(), null);
for await (const _ of http) throw new Error("there is no request");
assertThrows(() => conn.close(), "BadResource");
http.close();
listener.close();
console.log("ok");
