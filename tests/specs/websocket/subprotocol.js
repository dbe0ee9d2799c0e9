// flags: --allow-net
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

const plain = serveSockets((socket) => {
  socket.onopen = () => socket.send(`server has "${socket.protocol}"`);
});
const none = new WebSocket(plain.url, "chat.v1");
assertEquals((await once(none, "message")).data, 'server has ""');
assertEquals(none.protocol, "");
none.close();
await once(none, "close");
await plain.stop();
console.log("ok");
