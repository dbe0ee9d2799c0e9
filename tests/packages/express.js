// server: express
// ci: yes
// quickjs: require() takes no ES modules there
import express from "express";
import { createServer } from "node:http";
import { WebSocketServer } from "ws";
import { echo, equal, exercise, listen, text } from "./_kit.js";

const app = express();
app.use(express.json());
app.get("/", (_request, response) => response.json({ text }));
app.post(
  "/echo",
  (request, response) => response.status(201).send(request.body),
);
const http = createServer(app);
const sockets = new WebSocketServer({ server: http, path: "/ws" });
sockets.on("connection", (socket) => {
  socket.binaryType = "arraybuffer";
  echo(socket);
});
const host = `127.0.0.1:${await listen(http)}`;

equal(await (await fetch(`http://${host}/`)).json(), { text });
const posted = await fetch(`http://${host}/echo`, {
  method: "POST",
  headers: { "content-type": "application/json" },
  body: JSON.stringify({ text }),
});
equal([posted.status, await posted.json()], [201, { text }]);
await exercise(new WebSocket(`ws://${host}/ws`));
sockets.close();
http.close();
http.closeIdleConnections();
console.log("ok");
