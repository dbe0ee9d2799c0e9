// flags: --allow-net
// deno: Deno.serveHttp was removed in Deno 2
// deno-lint-ignore-file no-deprecated-deno-api
// What a handler throws is the script's to see; what a client does wrong ends nothing.
import { assertEquals } from "../_assert.js";

const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
const origin = `http://127.0.0.1:${listener.addr.port}`;

async function next() {
  const http = Deno.serveHttp(await listener.accept());
  const event = await http.nextRequest();
  return { http, event };
}

// A handler that fails.
let answer = fetch(origin);
let { http, event } = await next();
let thrown;
await event.respondWith(Promise.reject(new Error("mine"))).catch((error) =>
  thrown = error
);
assertEquals(thrown.message, "mine");
assertEquals((await answer).status, 500);
await (await answer).body.cancel();
http.close();
assertEquals(await http.nextRequest(), null);

// A handshake that is none: nobody awaits the answer.
answer = fetch(origin, { headers: { upgrade: "websocket" } });
({ http, event } = await next());
event.respondWith((() => {
  return new Promise((resolve) =>
    resolve(Deno.upgradeWebSocket(event.request).response)
  );
})());
assertEquals((await answer).status, 400);
await (await answer).body.cancel();
http.close();

// A client that leaves before it is answered.
const conn = await Deno.connect({
  hostname: "127.0.0.1",
  port: listener.addr.port,
});
await conn.write(new TextEncoder().encode("GET / HTTP/1.1\r\nhost: a\r\n\r\n"));
({ http, event } = await next());
conn.close();
assertEquals(await http.nextRequest(), null);
event.respondWith(new Response("too late"));

listener.close();
console.log("ok");
