import { run } from "./client.js";

const [url, serverPings] = process.argv.slice(2);
await run(WebSocket, url, serverPings === "pings", (socket) => {
  const pong = new Promise((resolve) => {
    socket.addEventListener("pong", ({ data }) => {
      resolve(new TextDecoder().decode(data));
    }, { once: true });
  });
  socket.ping("any payload");
  return pong;
});
