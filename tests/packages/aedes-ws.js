// client: mqtt
// server: aedes
// deno: read() gives one chunk at a time, as in Node.js 26, and the broker waits for the rest
// duplex: as on Deno
import { Aedes } from "aedes";
import mqtt from "mqtt";
import { once } from "node:events";
import { createServer } from "node:http";
import { createWebSocketStream, WebSocketServer } from "ws";
import { binary, equal, equalBinary, inbox, listen, text } from "./_kit.js";

const broker = await Aedes.createBroker();
const http = createServer();
const sockets = new WebSocketServer({ server: http });
sockets.on("connection", (socket, request) => {
  broker.handle(createWebSocketStream(socket), request);
});
const port = await listen(http);

const client = await mqtt.connectAsync(`ws://127.0.0.1:${port}`);
const messages = inbox();
client.on(
  "message",
  (topic, payload, packet) => messages.push([topic, payload, packet.qos]),
);
await client.subscribeAsync("a/+", { qos: 1 });
await client.publishAsync("a/text", text, { qos: 1 });
let [topic, payload, qos] = await messages.next();
equal([topic, String(payload), qos], ["a/text", text, 1]);
await client.publishAsync("a/binary", binary);
[topic, payload, qos] = await messages.next();
equal([topic, qos], ["a/binary", 0]);
await equalBinary(payload);

const gone = once(broker, "clientDisconnect");
await client.endAsync();
await gone;
await new Promise((resolve) => broker.close(resolve));
sockets.close();
http.close();
console.log("ok");
