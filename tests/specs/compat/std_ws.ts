// flags: --allow-net
// deno: needs the network there
// deno-lint-ignore-file no-import-prefix
// A server of std/http and std/ws, of any version, without a network.
import { serve } from "https://deno.land/std@0.92.0/http/server.ts";
import { delay } from "https://deno.land/std/async/mod.ts";
import {
  acceptable,
  acceptWebSocket,
  connectWebSocket,
  isWebSocketCloseEvent,
  isWebSocketPingEvent,
  isWebSocketPongEvent,
  WebSocket as StdWebSocket,
} from "https://deno.land/std@v0.50.0/ws/mod.ts";
import { assertEquals, once } from "../_assert.js";

const server = serve({ hostname: "127.0.0.1", port: 0 });
const { port } = server.listener.addr as Deno.NetAddr;
const seen: unknown[] = [];

async function chat(socket: StdWebSocket) {
  await socket.ping("are you there");
  for await (const event of socket) {
    if (typeof event === "string") {
      seen.push(event);
      await socket.send(`got ${event}`);
    } else if (event instanceof Uint8Array) {
      seen.push([...event]);
      await socket.send(event);
    } else if (isWebSocketPingEvent(event)) {
      seen.push(["ping", new TextDecoder().decode(event[1])]);
    } else if (isWebSocketPongEvent(event)) {
      seen.push(["pong", new TextDecoder().decode(event[1])]);
    } else if (isWebSocketCloseEvent(event)) {
      seen.push([event.code, event.reason]);
    }
  }
  assertEquals(socket.isClosed, true);
}

const sockets: Promise<void>[] = [];
(async () => {
  for await (const request of server) {
    if (!acceptable(request)) {
      const body = `${request.method} ${request.url} ${request.proto}`;
      await request.respond({ status: 418, body });
      continue;
    }
    const { conn, r: bufReader, w: bufWriter, headers } = request;
    const accepted = acceptWebSocket({ conn, bufReader, bufWriter, headers });
    sockets.push(accepted.then(chat));
  }
})();

// The web's client.
const socket = new WebSocket(`ws://127.0.0.1:${port}/`);
socket.binaryType = "arraybuffer";
await once(socket, "open");
socket.send("text");
assertEquals((await once(socket, "message")).data, "got text");
socket.send(new Uint8Array([1, 2, 3]));
const { data } = await once(socket, "message");
assertEquals([...new Uint8Array(data)], [1, 2, 3]);
socket.close(4000, "enough");
const closed = await once(socket, "close");
assertEquals([closed.code, closed.reason, closed.wasClean], [
  4000,
  "enough",
  true,
]);
await sockets[0];
// The answer to the ping comes at its own time.
const isPong = (it: unknown) => Array.isArray(it) && it[0] === "pong";
assertEquals(seen.find(isPong), ["pong", "are you there"]);
assertEquals(seen.filter((it) => !isPong(it)), [
  "text",
  [1, 2, 3],
  [4000, "enough"],
]);

// The client of old.
seen.length = 0;
const client = await connectWebSocket(`ws://127.0.0.1:${port}/`);
await client.send("old");
await client.ping("p");
for await (const event of client) {
  if (isWebSocketPongEvent(event)) {
    break;
  }
}
await sockets[1];
assertEquals(seen.includes("old"), true);
assertEquals(seen.find((it) => (it as string[])[0] === "ping"), ["ping", "p"]);

const response = await fetch(`http://127.0.0.1:${port}/tea`);
assertEquals(response.status, 418);
assertEquals(await response.text(), "GET /tea HTTP/1.1");
await delay(1);
server.close();
console.log("ok");
