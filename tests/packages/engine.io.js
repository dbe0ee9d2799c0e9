// client: engine.io-client
// server: engine.io
// ci: yes
import { createServer } from "node:http";
import { attach } from "engine.io";
import { Socket } from "engine.io-client";
import { binary, equal, equalBinary, inbox, listen, text } from "./_kit.js";

const http = createServer();
const server = attach(http, { maxHttpBufferSize: 1e6 });
const ends = inbox();
server.on("connection", (socket) => {
  socket.on(
    "message",
    (data) => data === "close" ? socket.close() : socket.send(data),
  );
  socket.on("close", ends.push);
});
const url = `ws://127.0.0.1:${await listen(http)}`;

for (
  const transports of [["websocket"], ["polling"], ["polling", "websocket"]]
) {
  const client = new Socket(url, { transports });
  const messages = inbox();
  const left = inbox();
  const opened = inbox();
  client.on("message", messages.push);
  client.on("close", left.push);
  client.on("error", (error) => opened.push(error));
  client.on(
    transports.length > 1 ? "upgrade" : "open",
    () => opened.push(null),
  );
  const error = await opened.next();
  if (error) throw error;
  equal(client.transport.name, transports.at(-1));
  client.send(text);
  equal(await messages.next(), text);
  client.send(binary);
  await equalBinary(await messages.next());
  client.send("close");
  equal(await left.next(), "transport close");
  await ends.next();
}
server.close();
http.close();
console.log("ok");
