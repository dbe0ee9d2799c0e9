// flags: --allow-net
// `await using` shuts the server down at the end of the block.
import { assertEquals } from "../_assert.js";

let port;
{
  await using server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    () => new Response("up"),
  );
  port = server.addr.port;
  assertEquals(await (await fetch(`http://127.0.0.1:${port}/`)).text(), "up");
}
Deno.listen({ hostname: "127.0.0.1", port }).close();
console.log("ok");
