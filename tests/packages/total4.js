// client: total4
// server: total4
import { require } from "./_total.js";
import {
  binary,
  equal,
  equalBinary,
  event,
  exit,
  freePort,
  inbox,
  text,
} from "./_kit.js";

const port = await freePort();
require("total4");
const { HTTP, ON, ROUTE, WEBSOCKETCLIENT } = globalThis;
function echo() {
  this.autodestroy();
  this.on("message", (client, message) => {
    if (message === "close") client.close("done", 4001);
    else client.send(message);
  });
}
ROUTE("SOCKET /text/", echo, ["text"], 1024);
ROUTE("SOCKET /json/", echo, ["json"], 1024);
ROUTE("SOCKET /binary/", echo, ["binary"], 1024);
HTTP("release", { ip: "127.0.0.1", port });
await new Promise((resolve) => ON("ready", resolve));

for (
  const [path, messages] of [["text", [text, text.repeat(10_000)]], ["binary", [
    binary,
  ]]]
) {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/${path}/`);
  socket.binaryType = "arraybuffer";
  await event(socket, "open");
  for (const message of messages) {
    const answer = event(socket, "message");
    socket.send(message);
    const { data } = await answer;
    if (path === "text") equal(data, message);
    else await equalBinary(data);
  }
  const closed = event(socket, "close");
  if (path === "text") socket.send("close");
  else socket.close(4002);
  const { code } = await closed;
  if (path === "text") equal(code, 4001);
}

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
