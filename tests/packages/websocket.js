// client: websocket
// server: websocket
import { Buffer } from "node:buffer";
import { createServer } from "node:http";
import websocket from "websocket";
import {
  binary,
  equal,
  equalBinary,
  exercise,
  inbox,
  listen,
  reason,
  text,
} from "./_kit.js";

const http = createServer();
const server = new websocket.server({
  httpServer: http,
  autoAcceptConnections: false,
});
const ends = inbox();
server.on("request", (request) => {
  const connection = request.accept(
    request.requestedProtocols[0],
    request.origin,
  );
  connection.on("message", ({ type, utf8Data, binaryData }) => {
    if (utf8Data === "close") connection.close(4001, reason);
    else if (type === "utf8") connection.sendUTF(utf8Data);
    else connection.sendBytes(binaryData);
  });
  connection.on("close", (code, reason) => ends.push([code, reason]));
});
const url = `ws://127.0.0.1:${await listen(http)}/`;

const client = new websocket.client();
client.connect(url, "p");
const connection = await new Promise((resolve, reject) => {
  client.on("connect", resolve);
  client.on("connectFailed", reject);
});
equal(connection.protocol, "p");
const messages = inbox();
connection.on("message", messages.push);
connection.sendUTF(text);
equal((await messages.next()).utf8Data, text);
connection.sendBytes(Buffer.from(binary));
await equalBinary((await messages.next()).binaryData);
const pongs = inbox();
connection.on("pong", pongs.push);
connection.ping("p");
equal(String(await pongs.next()), "p");
connection.close(4002, reason);
equal(await ends.next(), [4002, reason]);

await exercise(new websocket.w3cwebsocket(url));
await ends.next();
server.shutDown();
http.close();
console.log("ok");
