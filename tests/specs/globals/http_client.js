// flags: --allow-net
// fetch through a client of one's own, and what fetch says when nobody answers.
import { assertEquals, assertRejects } from "../_assert.js";

const server = Deno.serve(
  { hostname: "127.0.0.1", port: 0, onListen() {} },
  (request) => new Response(request.headers.get("user-agent")),
);
const url = `http://127.0.0.1:${server.addr.port}/`;
const client = Deno.createHttpClient({ poolMaxIdlePerHost: 1 });
const response = await fetch(url, { client, headers: { "user-agent": "me" } });
assertEquals(await response.text(), "me");
client.close();
await server.shutdown();
await assertRejects(fetch(url), "TypeError");
console.log("ok");
