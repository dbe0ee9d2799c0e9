// flags: --allow-net
// An abort signal ends the server: `finished` resolves, the port is free again.
import { assertEquals } from "../_assert.js";

const controller = new AbortController();
const server = Deno.serve({
  hostname: "127.0.0.1",
  port: 0,
  signal: controller.signal,
  onListen() {},
}, () => new Response("up"));
const { port } = server.addr;
assertEquals(await (await fetch(`http://127.0.0.1:${port}/`)).text(), "up");
controller.abort();
await server.finished;
Deno.listen({ hostname: "127.0.0.1", port }).close();
console.log("ok");
