// flags: --allow-net
// The three ways to call Deno.serve, and the server that they return.
import { assert, assertEquals, assertThrows } from "../_assert.js";

const handler = (request, info) => {
  assertEquals(info.remoteAddr.transport, "tcp");
  assertEquals(info.remoteAddr.hostname, "127.0.0.1");
  return new Response(`${request.method} ${new URL(request.url).pathname}`);
};

async function check(server) {
  const { hostname, port, transport } = server.addr;
  assertEquals(hostname, "127.0.0.1");
  assertEquals(transport, "tcp");
  assert(port > 0);
  const response = await fetch(`http://127.0.0.1:${port}/path?q`);
  assertEquals(response.status, 200);
  assertEquals(await response.text(), "GET /path");
  await server.shutdown();
  await server.finished;
}

const common = { hostname: "127.0.0.1", port: 0, onListen() {} };
await check(Deno.serve(common, handler));
await check(Deno.serve({ ...common, handler }));

let listened;
const server = Deno.serve({
  ...common,
  onListen: (address) => listened = address,
  handler,
});
assertEquals(listened.port, server.addr.port);
assertEquals(listened.hostname, "127.0.0.1");
await check(server);

assertThrows(() => Deno.serve(), "TypeError");
assertThrows(() => Deno.serve({ port: 0 }), "TypeError");
assertThrows(() => Deno.serve({ port: 0 }, "no function"), "TypeError");
console.log("ok");
