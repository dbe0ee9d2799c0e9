// flags: --allow-net
// A request is upgraded once, and its response must be what the handler returns.
import { assertEquals, assertThrows, once } from "../_assert.js";

let second;
const server = Deno.serve(
  { hostname: "127.0.0.1", port: 0, onListen() {} },
  (request) => {
    const { socket, response } = Deno.upgradeWebSocket(request);
    second = assertThrows(() => Deno.upgradeWebSocket(request), "Http");
    assertEquals(response.status, 101);
    assertEquals(socket.readyState, WebSocket.CONNECTING);
    return response;
  },
);
const socket = new WebSocket(`ws://127.0.0.1:${server.addr.port}/`);
await once(socket, "open");
assertEquals(second instanceof Error, true);
socket.close();
await once(socket, "close");
await server.shutdown();

assertThrows(
  () => Deno.upgradeWebSocket(new Request("http://127.0.0.1/")),
  "TypeError",
);
console.log("ok");
