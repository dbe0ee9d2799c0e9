import { run } from "./client.js";

const [url, serverPings, compression] = process.argv.slice(2);
const options = { perMessageDeflate: compression !== "uncompressed" };
const dial = (protocols) => new WebSocket(url, { protocols, ...options });
await run(dial, serverPings === "pings", (socket) => {
  const pong = new Promise((resolve) => {
    socket.addEventListener("pong", ({ data }) => {
      resolve(new TextDecoder().decode(data));
    }, { once: true });
  });
  socket.ping("any payload");
  return pong;
});
