// client: ws
// server: ws
// ci: yes
import { once } from "node:events";
import { WebSocket, WebSocketServer } from "ws";
import { binary, equal, equalBinary, inbox, reason, text } from "./_kit.js";

const server = new WebSocketServer({
  host: "127.0.0.1",
  port: 0,
  perMessageDeflate: true,
});
await once(server, "listening");
const url = `ws://127.0.0.1:${server.address().port}`;
const ends = inbox();
server.on("connection", (socket, request) => {
  socket.on(
    "message",
    (data, isBinary) => socket.send(data, { binary: isBinary }),
  );
  socket.on("close", (code, why) => ends.push([code, String(why)]));
  if (request.url === "/close") socket.close(4001, reason);
});

const socket = new WebSocket(url, { perMessageDeflate: true });
await once(socket, "open");
equal(socket.extensions, "permessage-deflate");
socket.send(text);
let [data, isBinary] = await once(socket, "message");
equal([String(data), isBinary], [text, false]);
socket.send(binary);
[data, isBinary] = await once(socket, "message");
equal(isBinary, true);
await equalBinary(data);
socket.ping("p");
[data] = await once(socket, "pong");
equal(String(data), "p");
socket.close(4002, reason);
let [code, why] = await once(socket, "close");
equal([code, String(why)], [4002, reason]);
equal(await ends.next(), [4002, reason]);

[code, why] = await once(new WebSocket(url + "/close"), "close");
equal([code, String(why)], [4001, reason]);
server.close();
await once(server, "close");
console.log("ok");
