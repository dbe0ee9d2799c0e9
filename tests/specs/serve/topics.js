// flags: --allow-net
// deno: there are no topics
// subscribe(), publish() and the server's publish(): who gets what, compressed or not.
import { assert, assertEquals, assertThrows, once } from "../_assert.js";

const sockets = [];
const server = Deno.serve(
  { hostname: "127.0.0.1", port: 0, onListen() {} },
  (request) => {
    const { socket, response } = Deno.upgradeWebSocket(request, {
      perMessageDeflate: new URL(request.url).pathname === "/deflate",
    });
    sockets.push(socket);
    return response;
  },
);
const connect = async (path) => {
  const client = new WebSocket(`ws://127.0.0.1:${server.addr.port}${path}`);
  client.binaryType = "arraybuffer";
  client.got = [];
  client.onmessage = ({ data }) =>
    client.got.push(
      typeof data === "string" ? data : new Uint8Array(data).length,
    );
  await once(client, "open");
  return client;
};
const clients = [];
for (const path of ["/plain", "/deflate", "/deflate", "/plain"]) {
  clients.push(await connect(path));
}
const [a, b, c, d] = sockets;
assertEquals(clients[1].extensions.startsWith("permessage-deflate"), true);

assertEquals(server.subscriberCount("news"), 0);
assertEquals(server.publish("news", "nobody hears"), 0);
for (const socket of [a, b, c]) assertEquals(socket.subscribe("news"), true);
assertEquals(a.subscribe("news"), false);
assertEquals(a.subscribe("other"), true);
assertEquals(a.isSubscribed("news"), true);
assertEquals(d.isSubscribed("news"), false);
assertEquals(a.subscriptions, ["news", "other"]);
assertEquals(server.subscriberCount("news"), 3);

// Long enough to be compressed, and of words that the peers have seen.
const long = "the same words again and again, ".repeat(20);
b.send(long);
assertEquals(server.publish("news", long), long.length);
b.send(long + "!");
assertEquals(a.publish("news", "from a"), 6);
assertEquals(d.publish("news", new Uint8Array(5000)), 5000);
assertEquals(c.publish("news", new Uint8Array(70000).buffer), 70000);
assertEquals(server.publish("other", ""), 1);
assertEquals(a.publish("other", "nobody else"), 0);
assertEquals(c.unsubscribe("news"), true);
assertEquals(c.unsubscribe("news"), false);
assertEquals(server.subscriberCount("news"), 2);
assertEquals(server.publish("news", long + "?"), long.length + 1);

// What each got, up to a last message of its own.
for (const socket of sockets) socket.send("end");
await Promise.all(clients.map(async (client) => {
  while (client.got.at(-1) !== "end") await once(client, "message");
}));
assertEquals(clients.map(({ got }) => got), [
  [long, 5000, 70000, "", long + "?", "end"],
  [long, long, long + "!", "from a", 5000, 70000, long + "?", "end"],
  [long, "from a", 5000, "end"],
  ["end"],
]);

// A socket's end is that of its subscriptions.
clients[0].close();
await once(a, "close");
assertEquals(server.subscriberCount("news"), 1);
assertEquals(a.subscribe("news"), false);
assertEquals(a.subscriptions, []);
assertEquals(a.publish("news", "too late"), 0);

assertThrows(() => b.publish("news"), "TypeError", "2 arguments required");
assertThrows(() => b.subscribe(), "TypeError", "1 argument required");
assertThrows(() => b.publish("news", new Blob([])), "TypeError", "Blob");
assertThrows(() => server.publish("news", new Blob([])), "TypeError", "Blob");
assertThrows(() => b.subscribe.call(clients[0], "news"), "TypeError");
assert(!("subscribe" in clients[0]), "a client has no topics");

await server.shutdown();
assertEquals(server.publish("news", "after the end"), 0);
console.log("ok");
