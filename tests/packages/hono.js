// server: hono
// ci: yes
// node: this is the way for Deno
import { Hono } from "hono";
import { upgradeWebSocket } from "hono/deno";
import { equal, exercise, reason } from "./_kit.js";

const app = new Hono();
app.get("/", (c) => c.json({ path: c.req.path }));
app.get(
  "/ws/:name",
  upgradeWebSocket((c) => ({
    onMessage({ data }, socket) {
      if (data === "close") socket.close(4001, reason);
      else if (data === "name") socket.send(c.req.param("name"));
      else socket.send(data);
    },
  })),
);
const server = Deno.serve(
  { hostname: "127.0.0.1", port: 0, onListen() {} },
  app.fetch,
);
const host = `127.0.0.1:${server.addr.port}`;
equal(await (await fetch(`http://${host}/`)).json(), { path: "/" });
equal((await fetch(`http://${host}/none`)).status, 404);
await exercise(new WebSocket(`ws://${host}/ws/x`));
await server.shutdown();
console.log("ok");
