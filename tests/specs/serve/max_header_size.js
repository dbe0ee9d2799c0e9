// flags: --allow-net
// deno: has no such option
// The head of a request, a WebSocket's among them, has a limit.
import { assertEquals, assertThrows, once } from "../_assert.js";
import { rawClient } from "../_raw.js";

const upgrade = (request) => {
  const { socket, response } = Deno.upgradeWebSocket(request);
  socket.onopen = () => socket.close();
  return response;
};
const serve = (options) =>
  Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {}, ...options },
    upgrade,
  );

async function status(server, size) {
  const { conn, head } = await rawClient(server.addr.port, {
    "X-Padding": "x".repeat(size),
  });
  conn.close();
  return Number(head.split(" ")[1]);
}

const plain = serve({});
assertEquals(await status(plain, 60_000), 101);
assertEquals(await status(plain, 70_000), 431);
await plain.shutdown();

const narrow = serve({ maxHeaderSize: 8192 });
assertEquals(await status(narrow, 7000), 101);
assertEquals(await status(narrow, 9000), 431);
const socket = new WebSocket(`ws://127.0.0.1:${narrow.addr.port}/`);
await once(socket, "close");
await narrow.shutdown();

const wide = serve({ maxHeaderSize: 200_000 });
assertEquals(await status(wide, 150_000), 101);
await wide.shutdown();

for (const maxHeaderSize of [0, 8191, 1e5 + 0.5, 2 ** 31, "8192"]) {
  assertThrows(
    () => serve({ maxHeaderSize }),
    "TypeError",
    "maxHeaderSize must be an integer from 8192 to 2147483647",
  );
}
console.log("ok");
