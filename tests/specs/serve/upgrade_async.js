// flags: --allow-net
// The handler may take its time between the upgrade and the response, and the
// socket's handlers may be set then.
import { assertEquals, once } from "../_assert.js";

const server = Deno.serve(
  { hostname: "127.0.0.1", port: 0, onListen() {} },
  async (request) => {
    await Promise.resolve();
    const { socket, response } = Deno.upgradeWebSocket(request);
    await new Promise((resolve) => setTimeout(resolve, 5));
    socket.onopen = () => socket.send("opened");
    return response;
  },
);
const socket = new WebSocket(`ws://127.0.0.1:${server.addr.port}/`);
assertEquals((await once(socket, "message")).data, "opened");
socket.close();
await once(socket, "close");
await server.shutdown();
console.log("ok");
