// flags: --allow-net
// The handlers of a socket look at the request that it came by.
import { assertEquals, once } from "../_assert.js";

const seen = [];
const done = Promise.withResolvers();
const server = Deno.serve(
  { hostname: "127.0.0.1", port: 0, onListen() {} },
  (request) => {
    const { socket, response } = Deno.upgradeWebSocket(request);
    const look = ({ type }) => {
      Deno.inspect(request);
      const { pathname } = new URL(request.url);
      seen.push(`${type} ${request.method} ${pathname}`);
    };
    socket.onopen = look;
    socket.onmessage = look;
    socket.onclose = (event) => {
      look(event);
      done.resolve();
    };
    return response;
  },
);
const socket = new WebSocket(`ws://127.0.0.1:${server.addr.port}/room`);
await once(socket, "open");
socket.send("hello");
socket.close();
await done.promise;
assertEquals(
  seen.join(),
  [
    "open GET /room",
    "message GET /room",
    "close GET /room",
  ].join(),
);
await server.shutdown();
console.log("ok");
