// client: faye-websocket
// server: faye-websocket
import WebSocket from "faye-websocket";
import { Buffer } from "node:buffer";
import { createServer } from "node:http";
import {
  equal,
  equalBinary,
  event,
  exercise,
  inbox,
  listen,
  reason,
} from "./_kit.js";
import { binary, text } from "./_kit.js";

const http = createServer();
const ends = inbox();
http.on("upgrade", (request, stream, head) => {
  if (!WebSocket.isWebSocket(request)) throw new Error("not a WebSocket");
  const socket = new WebSocket(request, stream, head, ["p"]);
  socket.onmessage = ({ data }) => {
    if (data === "close") socket.close(4001, reason);
    else socket.send(data);
  };
  socket.onclose = ({ code, reason }) => ends.push([code, reason]);
});
const url = `ws://127.0.0.1:${await listen(http)}/`;

const socket = new WebSocket.Client(url, ["q", "p"]);
await event(socket, "open");
equal(socket.protocol, "p");
socket.send(text);
equal((await event(socket, "message")).data, text);
socket.send(Buffer.from(binary));
await equalBinary((await event(socket, "message")).data);
await new Promise((resolve) => socket.ping("p", resolve));
socket.close(4002, reason);
await event(socket, "close");
equal(await ends.next(), [4002, reason]);

await exercise(new globalThis.WebSocket(url));
equal(await ends.next(), [4001, reason]);
http.close();
console.log("ok");
