import process from "node:process";
import { WebSocket } from "ws";
import { run } from "./client.js";

const [url, serverPings, compression] = process.argv.slice(2);
const options = { perMessageDeflate: compression !== "uncompressed" };
const dial = (protocols) => new WebSocket(url, protocols, options);
await run(dial, serverPings === "pings", (socket) => {
  const pong = new Promise((resolve) => {
    socket.once("pong", (data) => resolve(data.toString()));
  });
  socket.ping("any payload");
  return pong;
});
