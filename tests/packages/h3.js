// server: h3
import { plugin as ws } from "crossws/server";
import { defineWebSocketHandler, H3, serve } from "h3";
import { equal, exercise, reason } from "./_kit.js";

const app = new H3();
app.get("/user/:name", (event) => ({ name: event.context.params.name }));
app.get(
  "/ws",
  defineWebSocketHandler({
    message(peer, message) {
      if (message.text() === "close") peer.close(4001, reason);
      else peer.send(message.rawData);
    },
  }),
);
const server = serve(app, {
  hostname: "127.0.0.1",
  port: 0,
  silent: true,
  plugins: [
    ws({ resolve: async (request) => (await app.fetch(request)).crossws }),
  ],
});
await server.ready();
const { host } = new URL(server.url);
equal(await (await fetch(`http://${host}/user/x`)).json(), { name: "x" });
equal((await fetch(`http://${host}/none`)).status, 404);
await exercise(new WebSocket(`ws://${host}/ws`));
await server.close();
console.log("ok");
