// flags: --allow-net
// deno: Deno.serveHttp was removed in Deno 2
// deno-lint-ignore-file no-deprecated-deno-api
// A connection that the script accepted, served by iteration, with a WebSocket in it.
import { assertEquals, assertThrows, once } from "../_assert.js";

const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
const origin = `127.0.0.1:${listener.addr.port}`;
const seen = [];

async function serve() {
  for await (const conn of listener) {
    (async () => {
      const http = Deno.serveHttp(conn);
      assertEquals(typeof http.rid, "number");
      for await (const { request, respondWith } of http) {
        seen.push(`${request.method} ${new URL(request.url).pathname}`);
        if (request.headers.get("upgrade") === "websocket") {
          const { socket, response } = Deno.upgradeWebSocket(request);
          socket.onmessage = ({ data }) => socket.send(data.toUpperCase());
          respondWith(response);
        } else {
          await respondWith(Promise.resolve(new Response("a page")));
        }
      }
      // The connection has become a WebSocket's, or is closed.
      seen.push("end");
      assertThrows(() => conn.close(), "BadResource");
    })();
  }
}
const served = serve();

const response = await fetch(`http://${origin}/page`, {
  headers: { connection: "close" },
});
assertEquals(await response.text(), "a page");

const socket = new WebSocket(`ws://${origin}/chat`);
await once(socket, "open");
socket.send("hi");
assertEquals((await once(socket, "message")).data, "HI");
socket.close(1000);
assertEquals((await once(socket, "close")).wasClean, true);
listener.close();
await served;
assertEquals(seen.filter((it) => it !== "end"), ["GET /page", "GET /chat"]);
console.log("ok");
