// flags: --allow-net
// deno: has no such options
// What `connectTimeout` and `handshakeTimeout` take, and a client that is closed.
import { assertEquals, assertThrows, once } from "../_assert.js";

for (const name of ["connectTimeout", "handshakeTimeout"]) {
  for (const value of [-1, NaN, Infinity, "1", {}]) {
    assertThrows(
      () => new WebSocket("ws://127.0.0.1:1/", { [name]: value }),
      "TypeError",
      `Failed to construct 'WebSocket': ${name} must be a number of seconds, 0 or more`,
    );
  }
}
const server = Deno.serve(
  { hostname: "127.0.0.1", port: 0, onListen() {} },
  (request) => Deno.upgradeWebSocket(request).response,
);
const url = `ws://127.0.0.1:${server.addr.port}/`;
for (const value of [0, 30, 0.5e9, Number.MAX_VALUE, undefined, null]) {
  const options = { connectTimeout: value, handshakeTimeout: value };
  const socket = new WebSocket(url, options);
  await once(socket, "open");
  socket.close();
  await once(socket, "close");
}

const client = Deno.createHttpClient({});
client.close();
const { message } = await once(new WebSocket(url, { client }), "error");
assertEquals(message.includes("Bad resource ID"), true, message);
await server.shutdown();
console.log("ok");
