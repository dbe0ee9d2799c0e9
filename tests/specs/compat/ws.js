// flags: --allow-net
// deno: needs npm packages there
// deno-lint-ignore-file no-import-prefix
// The package ws: a server on an HTTP server of Node.js, and a client.
import { createServer } from "node:http";
import { once } from "node:events";
import WebSocket, { WebSocketServer } from "ws";
import { WebSocket as Versioned } from "npm:ws@8";
import { assertEquals } from "../_assert.js";

assertEquals(Versioned, WebSocket);
assertEquals(WebSocket.Server, WebSocketServer);

const server = createServer((request, response) => {
  response.writeHead(200, { "Content-Type": "text/plain" });
  response.end(`${request.method} ${request.url}`);
});
const wss = new WebSocketServer({
  server,
  path: "/chat",
  handleProtocols: (protocols) => [...protocols].at(-1),
  verifyClient: ({ req }) => req.headers.authorization !== "no",
});
const events = [];
wss.on("connection", (socket, request) => {
  events.push(`connection ${request.url}`);
  socket.on("message", (data, isBinary) => {
    assertEquals(Buffer.isBuffer(data), true);
    events.push(`message ${data} ${isBinary}`);
    for (const client of wss.clients) {
      client.send(data, { binary: isBinary });
    }
  });
  socket.on("ping", (data) => events.push(`ping ${data}`));
  socket.on("close", (code, reason) => events.push(`close ${code} ${reason}`));
});
server.listen(0, "127.0.0.1");
await once(server, "listening");
const { port } = server.address();

const page = await fetch(`http://127.0.0.1:${port}/page`);
assertEquals(await page.text(), "GET /page");

// A client that is refused.
const refused = new WebSocket(`ws://127.0.0.1:${port}/chat`, {
  headers: { authorization: "no" },
});
const [, answer] = await once(refused, "unexpected-response");
assertEquals(answer.statusCode, 401);
answer.resume();

const client = new WebSocket(`ws://127.0.0.1:${port}/chat`, ["a", "b"]);
assertEquals(client.readyState, WebSocket.CONNECTING);
await once(client, "open");
assertEquals(client.protocol, "b");
client.ping("p");
assertEquals(String((await once(client, "pong"))[0]), "p");
client.send("text");
let [data, isBinary] = await once(client, "message");
assertEquals([`${data}`, isBinary], ["text", false]);
client.send(new Uint8Array([104, 105]));
[data, isBinary] = await once(client, "message");
assertEquals([`${data}`, isBinary], ["hi", true]);
client.close(1000, "done");
const [code, reason] = await once(client, "close");
assertEquals([code, `${reason}`], [1000, "done"]);

// One that is dropped.
const dropped = new WebSocket(`ws://127.0.0.1:${port}/chat`);
await once(dropped, "open");
for (const socket of wss.clients) {
  socket.terminate();
}
assertEquals((await once(dropped, "close"))[0], 1006);

wss.close();
server.close();
await once(server, "close");
assertEquals(events, [
  "connection /chat",
  "ping p",
  "message text false",
  "message hi true",
  "close 1000 done",
  "connection /chat",
  "close 1006 ",
]);
console.log("ok");
