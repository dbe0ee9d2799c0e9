// client: faye
// server: faye
// ci: yes
import faye from "faye";
import { createServer } from "node:http";
import { equal, inbox, listen, text } from "./_kit.js";

const http = createServer();
const bayeux = new faye.NodeAdapter({ mount: "/faye", timeout: 1 });
bayeux.attach(http);
const url = `http://127.0.0.1:${await listen(http)}/faye`;
const long = text.repeat(10_000);

const upgrades = inbox();
http.on("upgrade", () => upgrades.push());
// A client begins with long-polling, and the WebSocket takes over if it opens.
const clients = [new faye.Client(url), new faye.Client(url)];
const messages = inbox();
await clients[0].subscribe("/news/*", messages.push);
await clients[1].publish("/news/a", { text });
equal(await messages.next(), { text });
await clients[1].publish("/news/b", { long });
equal(await messages.next(), { long });
for (const _ of clients) await upgrades.next();
const ended = inbox();
bayeux.on("disconnect", ended.push);
for (const client of clients) {
  await client.disconnect();
  await ended.next();
}
bayeux.close();
http.close();
http.closeAllConnections();
console.log("ok");
