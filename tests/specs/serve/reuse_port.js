// flags: --allow-net
// deno: asks for --unstable-net
// reusePort lets two servers share a port.
import { assertEquals } from "../_assert.js";

const options = { hostname: "127.0.0.1", reusePort: true, onListen() {} };
const handler = () => new Response("shared");
const first = Deno.serve({ ...options, port: 0 }, handler);
const { port } = first.addr;
const second = Deno.serve({ ...options, port }, handler);
assertEquals(second.addr.port, port);
assertEquals(await (await fetch(`http://127.0.0.1:${port}/`)).text(), "shared");
await Promise.all([first.shutdown(), second.shutdown()]);
console.log("ok");
