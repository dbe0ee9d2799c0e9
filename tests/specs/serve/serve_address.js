// flags: --allow-net=127.0.0.1
// env: DENO_SERVE_ADDRESS=tcp:127.0.0.1:0
// The first server listens where the environment says, the second where its options do.
import { assert, assertEquals, assertThrows } from "../_assert.js";

const onListen = () => {};
const first = Deno.serve(
  { path: "/nowhere", hostname: "203.0.113.1", port: 1, onListen },
  () => new Response("first"),
);
const { hostname, port, transport } = first.addr;
assertEquals([hostname, transport], ["127.0.0.1", "tcp"]);
assert(port > 1);
assertEquals(await (await fetch(`http://127.0.0.1:${port}/`)).text(), "first");
await first.shutdown();
assertThrows(
  () => Deno.serve({ hostname: "127.0.0.2", port: 0, onListen }, () => {}),
  "NotCapable",
);
console.log("ok");
