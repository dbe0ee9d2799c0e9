// flags: --allow-net
// deno: there is no option websocket
// upgrade() of a client that has left, and of a request that another server got.
import { assert, assertEquals, assertThrows } from "../_assert.js";
import { rawClient, upgradeRequest, write } from "../_raw.js";

const upgraded = Promise.withResolvers();
const never = () => {
  throw new Error("there is no socket");
};
const websocket = { open: never, message: never, close: never };
const options = { hostname: "127.0.0.1", port: 0, onListen() {}, websocket };

const server = Deno.serve({
  ...options,
  async fetch(request, info) {
    await new Promise((left) => request.signal.addEventListener("abort", left));
    upgraded.resolve(info.upgrade(request));
  },
});
const conn = await Deno.connect({
  hostname: "127.0.0.1",
  port: server.addr.port,
});
await write(conn, upgradeRequest());
conn.close();
assertEquals(await upgraded.promise, false);
await server.shutdown();

const first = Deno.serve({ ...options, fetch: () => new Response() });
const second = Deno.serve({
  ...options,
  fetch(request) {
    assertThrows(() => first.upgrade(request), "TypeError", "this server");
    return new Response(null, { status: 204 });
  },
});
const { head, conn: other } = await rawClient(second.addr.port);
assert(head.startsWith("HTTP/1.1 204 "), head);
other.close();
await first.shutdown();
await second.shutdown();
console.log("ok");
