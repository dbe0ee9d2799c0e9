// client: colyseus.js
// server: @colyseus/ws-transport
import { Room, Server } from "@colyseus/core";
import { WebSocketTransport } from "@colyseus/ws-transport";
import { Client } from "colyseus.js";
import { createServer } from "node:http";
import { binary, equal, equalBinary, exit, inbox, text } from "./_kit.js";

class Chat extends Room {
  onCreate() {
    this.onMessage("echo", (client, message) => client.send("echo", message));
    this.onMessage(
      "bytes",
      (client, message) => client.sendBytes("bytes", message),
    );
    this.onMessage("leave", (client) => client.leave(4001));
  }
}
const http = createServer();
const server = new Server({
  transport: new WebSocketTransport({ server: http, maxPayload: 1e6 }),
  greet: false,
  gracefullyShutdown: false,
});
server.define("chat", Chat);
await server.listen(0, "127.0.0.1");

const client = new Client(`ws://127.0.0.1:${http.address().port}`);
const room = await client.joinOrCreate("chat");
const messages = inbox();
room.onMessage("echo", messages.push);
room.onMessage("bytes", messages.push);
room.onLeave(messages.push);
const long = text.repeat(10_000);
for (const message of [text, { long }]) {
  room.send("echo", message);
  equal(await messages.next(), message);
}
room.sendBytes("bytes", binary);
await equalBinary(await messages.next());
room.send("leave");
equal(await messages.next(), 4001);
await server.gracefullyShutdown(false);
console.log("ok");
exit();
