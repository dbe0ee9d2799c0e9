// server: fastify @fastify/websocket
// ci: yes
import websocket from "@fastify/websocket";
import Fastify from "fastify";
import { echo, equal, exercise, text } from "./_kit.js";

const app = Fastify();
await app.register(websocket);
const user = {
  type: "object",
  required: ["name"],
  properties: { name: { type: "string" } },
};
app.post(
  "/user",
  { schema: { body: user } },
  (request) => ({ hello: request.body.name }),
);
app.get("/ws", { websocket: true }, (socket) => {
  socket.binaryType = "arraybuffer";
  echo(socket);
});
const host = new URL(await app.listen({ host: "127.0.0.1", port: 0 })).host;

const post = (body) =>
  fetch(`http://${host}/user`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
equal(await (await post({ name: text })).json(), { hello: text });
equal((await post({})).status, 400);
await exercise(new WebSocket(`ws://${host}/ws`));
await app.close();
console.log("ok");
