// flags: --allow-net
// deno: it loses them
// shutdown() waits for requests; sockets that are open stay so.
import { assertEquals, once } from "../_assert.js";
import { serveEcho } from "../_server.js";

const server = serveEcho();
const socket = new WebSocket(server.url);
await once(socket, "open");
await server.stop();
socket.send("still here");
const { data } = await once(socket, "message");
assertEquals(data, "still here");
socket.close();
await once(socket, "close");
console.log("ok");
