import process from "node:process";
import { WebSocket } from "ws";
import { run } from "./client.js";

const [url, serverPings] = process.argv.slice(2);
await run(WebSocket, url, serverPings === "pings", (socket) => {
  const pong = new Promise((resolve) => {
    socket.once("pong", (data) => resolve(data.toString()));
  });
  socket.ping("any payload");
  return pong;
});
