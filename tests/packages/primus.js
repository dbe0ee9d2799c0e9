// client: primus
// flags: --unsafe-proto
// server: primus
import { createServer } from "node:http";
import Primus from "primus";
import { equal, inbox, listen, text } from "./_kit.js";

const http = createServer();
const server = new Primus(http, { transformer: "websockets" });
const port = await listen(http);
const left = inbox();
server.on(
  "connection",
  (spark) => spark.on("data", (data) => spark.write(data)),
);
server.on("disconnection", ({ id }) => left.push(id));

const client = new server.Socket(`http://127.0.0.1:${port}`, {
  strategy: false,
});
const events = inbox();
client.on("open", () => events.push("open"));
client.on("error", events.push);
client.on("data", events.push);
client.on("end", () => events.push("end"));
equal(await events.next(), "open");
const long = text.repeat(10_000);
for (const message of [text, { long }]) {
  client.write(message);
  equal(await events.next(), message);
}
client.end();
equal(await events.next(), "end");
equal(typeof await left.next(), "string");
server.destroy();
console.log("ok");
