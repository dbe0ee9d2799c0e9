// flags: --allow-net
// deno: opens the connection where the server picks no subprotocol
// What the server picks among the offered subprotocols.
import { assertEquals, once } from "../_assert.js";
import { serveSockets } from "../_server.js";

const offers = [];
const server = Deno.serve({ port: 0, onListen() {} }, (request) => {
  offers.push(request.headers.get("sec-websocket-protocol"));
  const options = { protocol: "chat.v2" };
  return Deno.upgradeWebSocket(request, options).response;
});
const socket = new WebSocket(`ws://127.0.0.1:${server.addr.port}/`, [
  "chat.v1",
  "chat.v2",
]);
await once(socket, "open");
assertEquals(socket.protocol, "chat.v2");
assertEquals(offers, ["chat.v1, chat.v2"]);
socket.close();
await once(socket, "close");
assertEquals(socket.protocol, "chat.v2");
await server.shutdown();

// A server that picks none of those offered: the WHATWG standard fails the
// connection ("establish a WebSocket connection"), unlike RFC 6455.
const plain = serveSockets(() => {});
const none = new WebSocket(plain.url, "chat.v1");
const error = once(none, "error");
assertEquals((await once(none, "close")).code, 1006);
assertEquals(
  (await error).message.includes("Sec-WebSocket-Protocol"),
  true,
);
assertEquals(none.protocol, "");
await plain.stop();
console.log("ok");
