// flags: --allow-net
// deno: there is no option websocket, and no upgradeWebSocketStream
// A client that leaves while the handler is at work, before it upgrades: the socket
// closes with 1006, and upgrade() returns false.
import { assert, assertEquals, assertRejects, once } from "../_assert.js";
import { upgradeRequest, write } from "../_raw.js";

const hostname = "127.0.0.1";

/** Lets the handler go on when the server has seen the client leave. */
async function visit(server, go) {
  const conn = await Deno.connect({ hostname, port: server.addr.port });
  const arrived = Promise.withResolvers();
  go.arrived = arrived.resolve;
  await write(conn, upgradeRequest());
  await arrived.promise;
  conn.close();
  for (let i = 0; i < 3; i++) {
    await (await fetch(`http://${hostname}:${server.addr.port}/`)).text();
  }
  go.left();
}

async function served(upgrade, options = {}) {
  const go = {};
  const outcome = Promise.withResolvers();
  const server = Deno.serve({
    hostname,
    port: 0,
    onListen() {},
    ...options,
    async fetch(request, info) {
      if (request.headers.get("upgrade") === null) return new Response();
      const left = new Promise((resolve) => go.left = resolve);
      go.arrived();
      await left;
      try {
        const { result, response } = upgrade(request, info);
        outcome.resolve(result);
        return response;
      } catch (error) {
        outcome.reject(error);
        throw error;
      }
    },
  });
  await visit(server, go);
  const result = await outcome.promise;
  await server.shutdown();
  return result;
}

const event = await served((request) => {
  const { socket, response } = Deno.upgradeWebSocket(request);
  return { response, result: once(socket, "close") };
});
const { code, wasClean } = await event;
assertEquals([code, wasClean], [1006, false]);

await served((request) => {
  const { stream, response } = Deno.upgradeWebSocketStream(request);
  stream.closed.catch(() => {});
  return { response, result: assertRejects(stream.opened, "WebSocketError") };
});

const never = () => {
  throw new Error("there is no socket");
};
const isUpgraded = await served(
  (request, info) => ({ result: info.upgrade(request) }),
  { websocket: { open: never, message: never, close: never } },
);
assertEquals(isUpgraded, false);

// The request can be looked at all the while.
const url = await served((request) => {
  const { response } = Deno.upgradeWebSocket(request);
  return { response, result: `${request.method} ${request.url}` };
});
assert(url.startsWith("GET http://127.0.0.1"), url);
console.log("ok");
