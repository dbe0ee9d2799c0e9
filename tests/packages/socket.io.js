// client: socket.io-client
// server: socket.io
// ci: yes
import { createServer } from "node:http";
import { Server } from "socket.io";
import { io } from "socket.io-client";
import { binary, equal, equalBinary, inbox, listen, text } from "./_kit.js";

const http = createServer();
const server = new Server(http);
const left = inbox();
const talk = (socket) => {
  socket.on("echo", (message, answer) => answer(message));
  socket.on("event", (...values) => socket.emit("event", ...values));
  socket.on("leave", () => socket.disconnect());
  socket.on("disconnect", left.push);
};
server.on("connection", talk);
server.of("/name").on("connection", talk);
const url = `http://127.0.0.1:${await listen(http)}`;

for (
  const transports of [["websocket"], ["polling"], ["polling", "websocket"]]
) {
  const manager = { transports, forceNew: true };
  const client = io(url, manager);
  await new Promise((resolve, reject) => {
    client.on("connect", resolve);
    client.on("connect_error", reject);
  });
  if (
    transports.length > 1 && client.io.engine.transport.name !== "websocket"
  ) {
    await new Promise((resolve) => client.io.engine.on("upgrade", resolve));
  }
  equal(client.io.engine.transport.name, transports.at(-1));
  equal(await client.emitWithAck("echo", text), text);
  await equalBinary(await client.emitWithAck("echo", binary));
  const events = inbox();
  client.on("event", (...values) => events.push(values));
  client.emit("event", { deep: [text, binary] }, text);
  const [first, second] = await events.next();
  equal([first.deep[0], second], [text, text]);
  await equalBinary(first.deep[1]);

  const named = io(url + "/name", manager);
  equal(await named.emitWithAck("echo", text), text);
  const gone = new Promise((resolve) => named.on("disconnect", resolve));
  named.emit("leave");
  equal(await gone, "io server disconnect");
  equal(await left.next(), "server namespace disconnect");
  named.io.engine.close();
  client.disconnect();
  equal(await left.next(), "client namespace disconnect");
}
await server.close();
console.log("ok");
