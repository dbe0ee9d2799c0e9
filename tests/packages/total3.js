// client: total.js
// server: total.js
import { once } from "node:events";
import { WebSocket } from "ws";
import {
  binary,
  equal,
  equalBinary,
  exit,
  freePort,
  inbox,
  text,
} from "./_kit.js";
import { require } from "./_total.js";

const port = await freePort();
require("total.js");
const { F, WEBSOCKETCLIENT } = globalThis;
function echo() {
  this.autodestroy();
  this.on("message", (client, message) => {
    if (message === "close") client.close("done", 4001);
    else client.send(message);
  });
}
F.http("release", { ip: "127.0.0.1", port });
await new Promise((resolve) => F.on("ready", resolve));
F.websocket("/text/", echo, [], 1024);
F.websocket("/json/", echo, ["json"], 1024);
F.websocket("/binary/", echo, ["binary"], 1024);

// It takes every message for a compressed one if that is agreed on, whatever the message says.
const connect = async (path) => {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/${path}/`, {
    perMessageDeflate: false,
  });
  await once(socket, "open");
  return socket;
};
const words = await connect("text");
words.send(encodeURIComponent(text));
equal(decodeURIComponent((await once(words, "message"))[0]), text);
words.send("close");
equal((await once(words, "close"))[0], 4001);
const bytes = await connect("binary");
bytes.send(binary);
await equalBinary((await once(bytes, "message"))[0]);
bytes.close();
await once(bytes, "close");

const events = inbox();
WEBSOCKETCLIENT((client) => {
  client.options.masking = true;
  client.options.reconnect = 0;
  client.on("open", () => events.push(client));
  client.on("error", events.push);
  client.on("message", events.push);
  client.connect(`ws://127.0.0.1:${port}/json/`);
});
const client = await events.next();
for (const message of [{ text }, { long: text.repeat(10_000) }]) {
  client.send(message);
  equal(await events.next(), message);
}
client.close();
console.log("ok");
// The framework keeps its timers.
exit();
