// flags: --allow-net
// deno: there is no option websocket
// The handler-object form: Deno.serve({ fetch, websocket }).
import { assert, assertEquals, assertThrows, once } from "../_assert.js";
import { rawClient } from "../_raw.js";

const log: unknown[] = [];
const closed = Promise.withResolvers<void>();
const server = Deno.serve({
  hostname: "127.0.0.1",
  port: 0,
  onListen() {},
  async fetch(request, info) {
    assert(this.websocket !== undefined, "fetch is a method of the options");
    const { pathname } = new URL(request.url);
    if (pathname === "/plain") return new Response(info.remoteAddr.hostname);
    if (pathname === "/late") await new Promise((done) => setTimeout(done));
    const upgrade = pathname === "/server" ? server.upgrade : info.upgrade;
    const isUpgraded = upgrade.call(info, request, {
      data: { pathname },
      headers: { "X-Room": "1", "Sec-WebSocket-Protocol": "chat" },
    });
    if (pathname === "/other") {
      assertEquals(isUpgraded, false);
      return new Response("no handshake", { status: 400 });
    }
    log.push(`upgrade ${isUpgraded}`);
  },
  websocket: {
    perMessageDeflate: true,
    idleTimeout: 0,
    open(ws) {
      assert(ws instanceof WebSocket && ws.constructor === WebSocket);
      assertEquals(this.idleTimeout, 0);
      log.push(`open ${ws.data.pathname} ${ws.protocol} ${ws.readyState}`);
      log.push(ws.remoteAddr.hostname);
      ws.subscribe("room");
    },
    message(ws, data) {
      log.push(data);
      if (data === "throw") throw new Error("in message");
      if (data === "ping") ws.ping("p");
      if (data === "publish") server.publish("room", "to all");
      if (data === "bye") ws.close(4000, "bye");
      else ws.send(typeof data === "string" ? data : new Uint8Array(data));
    },
    ping: (_ws, data) => void log.push(`ping ${data.byteLength}`),
    pong: (_ws, data) => void log.push(`pong ${data.byteLength}`),
    close(ws, code, reason) {
      log.push(`close ${code} ${reason} ${ws.remoteAddr.hostname}`);
      assertEquals(server.subscriberCount("room"), 0);
      closed.resolve();
    },
    // deno-lint-ignore require-await
    async error(_ws, error) {
      log.push(error.message);
    },
  },
});
const base = `127.0.0.1:${server.addr.port}`;

const client = new WebSocket(`ws://${base}/late`, "chat");
client.binaryType = "arraybuffer";
await once(client, "open");
assertEquals(client.protocol, "chat");
assert(client.extensions.startsWith("permessage-deflate"));
const say = async (data) => {
  const answered = once(client, "message");
  client.send(data);
  return (await answered).data;
};
assertEquals(await say("hello"), "hello");
assertEquals(
  await say(new Uint8Array([1, 2, 3])),
  new ArrayBuffer(3) && new Uint8Array([1, 2, 3]).buffer,
);
const ponged = once(client, "ping");
await say("ping");
await ponged;
const both = [await say("publish"), (await once(client, "message")).data];
assertEquals(both, ["to all", "publish"]);
client.send("throw");
client.ping("12");
await once(client, "pong");
client.send("bye");
const { code, reason } = await once(client, "close");
assertEquals([code, reason], [4000, "bye"]);
await closed.promise;
assertEquals(
  log.map((it) => it instanceof ArrayBuffer ? it.byteLength : it),
  [
    "upgrade true",
    "open /late chat 1",
    "127.0.0.1",
    "hello",
    3,
    "ping",
    "pong 1",
    "publish",
    "throw",
    "in message",
    "ping 2",
    "bye",
    "close 4000 bye 127.0.0.1",
  ],
);

// What is no handshake, and what is a wrong one.
assertEquals(await (await fetch(`http://${base}/plain`)).text(), "127.0.0.1");
assertEquals((await fetch(`http://${base}/other`)).status, 400);
const refused = await fetch(`http://${base}/nothing`);
assertEquals(refused.status, 400);
assert((await refused.text()).includes("upgrade"));
const { conn, head } = await rawClient(server.addr.port, {
  "Sec-WebSocket-Version": "8",
});
assert(head.startsWith("HTTP/1.1 426 "), head);
assert(head.toLowerCase().includes("sec-websocket-version: 13"), head);
conn.close();

const own = await rawClient(server.addr.port, {
  "Sec-WebSocket-Protocol": "a, chat",
});
assert(own.head.startsWith("HTTP/1.1 101 "), own.head);
assert(own.head.toLowerCase().includes("x-room: 1"), own.head);
own.conn.close();

assertThrows(
  () => server.upgrade(new Request("http://localhost/")),
  "TypeError",
  "that this server received",
);
const bare = Deno.serve(
  { hostname: "127.0.0.1", port: 0, onListen() {} },
  () => new Response(),
);
assertThrows(
  () => bare.upgrade(),
  "TypeError",
  "Deno.upgradeWebSocket(request)",
);
await bare.shutdown();
const wrong = (websocket, text) =>
  assertThrows(
    () => Deno.serve({ fetch() {}, websocket, port: 0 }),
    "TypeError",
    text,
  );
wrong(1, "websocket must be an object");
wrong({ message: 1 }, "websocket.message must be a function");
wrong({ idleTimeout: -1 }, "idleTimeout");
wrong({ sendPings: 1 }, "sendPings must be true or false");
wrong({ closeTimeout: "1" }, "closeTimeout must be a number of seconds");

await server.shutdown();
console.log("ok");
