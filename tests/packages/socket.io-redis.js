// server: @socket.io/redis-adapter
// peer: redis-server
import { createServer } from "node:http";
import process from "node:process";
import { createAdapter } from "@socket.io/redis-adapter";
import { createClient } from "redis";
import { Server } from "socket.io";
import { io } from "socket.io-client";
import { binary, equal, equalBinary, inbox, listen, text } from "./_kit.js";

// Two servers, and what one tells all reaches the clients of the other by way of Redis.
const open = async () => {
  const publisher = createClient({ url: process.env.REDIS_URL });
  const subscriber = publisher.duplicate();
  await Promise.all([publisher.connect(), subscriber.connect()]);
  const http = createServer();
  const server = new Server(http, {
    adapter: createAdapter(publisher, subscriber),
  });
  server.on("connection", (socket) => {
    socket.on("say", (...values) => server.emit("said", ...values));
  });
  const client = io(`http://127.0.0.1:${await listen(http)}`, {
    transports: ["websocket"],
  });
  const heard = inbox();
  client.on("said", (...values) => heard.push(values));
  await new Promise((resolve, reject) => {
    client.on("connect", resolve);
    client.on("connect_error", reject);
  });
  return { publisher, subscriber, server, client, heard };
};
const one = await open();
const other = await open();
equal((await one.server.fetchSockets()).length, 2);
one.client.emit("say", text, binary);
for (const { heard } of [one, other]) {
  const [words, bytes] = await heard.next();
  equal(words, text);
  await equalBinary(bytes);
}
for (const { publisher, subscriber, server, client } of [one, other]) {
  client.disconnect();
  await server.close();
  await publisher.close();
  await subscriber.close();
}
console.log("ok");
