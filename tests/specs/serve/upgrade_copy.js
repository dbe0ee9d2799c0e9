// flags: --allow-net
// deno: a copy is answered 101, and its socket never opens
// A copy of the request can be upgraded: the connection is that of the request for which
// the response is returned.
import { assert, assertEquals, once } from "../_assert.js";
import { rawClient } from "../_raw.js";

const addresses = [];
const copies = {
  "/clone": (request) => request.clone(),
  "/new": (request) => new Request(request),
  "/headers": (request) =>
    new Request("http://elsewhere/", { headers: request.headers }),
};
const server = Deno.serve(
  { hostname: "127.0.0.1", port: 0, onListen() {} },
  async (request) => {
    const { pathname } = new URL(request.url);
    await null;
    const { socket, response } = Deno.upgradeWebSocket(
      copies[pathname](request),
      { protocol: "b", perMessageDeflate: true },
    );
    socket.onopen = () => addresses.push(socket.remoteAddr.hostname);
    socket.onmessage = ({ data }) => socket.send(`${pathname} ${data}`);
    return response;
  },
);
const { port } = server.addr;
for (const path of Object.keys(copies)) {
  const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, ["a", "b"]);
  await once(socket, "open");
  assertEquals(socket.protocol, "b");
  assert(socket.extensions.startsWith("permessage-deflate"));
  socket.send("hello");
  assertEquals((await once(socket, "message")).data, `${path} hello`);
  socket.close();
  await once(socket, "close");
}
assertEquals(addresses.join(), "127.0.0.1,127.0.0.1,127.0.0.1");
await server.shutdown();

// One response answers one request, and not one that is no handshake.
const failed = [];
const stale = Deno.serve({
  hostname: "127.0.0.1",
  port: 0,
  onListen() {},
  onError(error) {
    failed.push(error.message);
    return new Response(null, { status: 500 });
  },
}, () => kept);
const { socket: lost, response: kept } = Deno.upgradeWebSocket(
  new Request("http://a/", {
    headers: {
      upgrade: "websocket",
      connection: "upgrade",
      "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
    },
  }),
);
const closed = once(lost, "close");
const first = await rawClient(stale.addr.port, { Upgrade: undefined });
assert(first.head.startsWith("HTTP/1.1 500 "), first.head);
assertEquals((await closed).code, 1006);
const second = await rawClient(stale.addr.port);
assert(second.head.startsWith("HTTP/1.1 500 "), second.head);
first.conn.close();
second.conn.close();
assert(failed[0].includes("'upgrade' header"), failed[0]);
assert(failed[1].includes("returned once"), failed[1]);
await stale.shutdown();
console.log("ok");
