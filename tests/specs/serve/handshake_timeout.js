// flags: --allow-net
// deno: there is no option handshakeTimeout
// A handler that takes too long to answer a handshake does not hold the client for ever.
import { assert, assertEquals, assertThrows, once } from "../_assert.js";
import { rawClient } from "../_raw.js";

const given = Promise.withResolvers();
const late = Promise.withResolvers();
const server = Deno.serve(
  { hostname: "127.0.0.1", port: 0, onListen() {} },
  async (request) => {
    const isLate = new URL(request.url).pathname === "/late";
    if (isLate) await Promise.resolve();
    const { socket, response } = Deno.upgradeWebSocket(request, {
      handshakeTimeout: isLate ? 0.01 : 0,
    });
    if (!isLate) {
      // Without a limit there is none.
      await late.promise;
      return response;
    }
    given.resolve(socket);
    await late.promise;
    return response;
  },
);
const url = `ws://127.0.0.1:${server.addr.port}`;
const slow = rawClient(server.addr.port);
const client = new WebSocket(`${url}/late`);
const socket = await given.promise;
const errors = [];
socket.onerror = ({ message }) => errors.push(message);
const [closed, { code }] = await Promise.all([
  once(socket, "close"),
  once(client, "close"),
]);
assertEquals([closed.code, code], [1006, 1006]);
assertEquals(errors.length, 1);
assert(errors[0].includes("handshakeTimeout (0.01 s)"), errors[0]);
late.resolve();
const { head, conn } = await slow;
assert(head.startsWith("HTTP/1.1 101 "), head);
conn.close();
await server.shutdown();

const wrong = Deno.serve(
  { hostname: "127.0.0.1", port: 0, onListen() {} },
  (request) => {
    assertThrows(
      () => Deno.upgradeWebSocket(request, { handshakeTimeout: -1 }),
      "TypeError",
      "handshakeTimeout must be a number of seconds",
    );
    return new Response();
  },
);
await fetch(`http://127.0.0.1:${wrong.addr.port}/`);
await wrong.shutdown();
console.log("ok");
