// server: crossws
import { serve } from "crossws/server";
import { equal, exercise, reason } from "./_kit.js";

const server = serve({
  hostname: "127.0.0.1",
  port: 0,
  silent: true,
  fetch: () => new Response("page"),
  websocket: {
    message(peer, message) {
      if (message.rawData === "close" || message.text() === "close") {
        peer.close(4001, reason);
      } else peer.send(message.rawData);
    },
  },
});
await server.ready();
const url = new URL(server.url);
equal(await (await fetch(url)).text(), "page");
url.protocol = "ws:";
await exercise(new WebSocket(url));
await server.close();
console.log("ok");
