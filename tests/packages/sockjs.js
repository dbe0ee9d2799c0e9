// client: sockjs-client
// server: sockjs
// ci: yes
import { createServer } from "node:http";
import sockjs from "sockjs";
import SockJS from "sockjs-client";
import { equal, event, listen, reason, text } from "./_kit.js";

const service = sockjs.createServer({ log() {} });
service.on("connection", (connection) => {
  connection.on("data", (message) => {
    if (message === "close") connection.close(4001, reason);
    else connection.write(message);
  });
});
const http = createServer();
service.installHandlers(http, { prefix: "/echo" });
const url = `http://127.0.0.1:${await listen(http)}/echo`;
const long = text.repeat(10_000);

for (const transport of ["websocket"]) {
  const socket = new SockJS(url, null, { transports: [transport] });
  await event(socket, "open");
  equal(socket.transport, transport);
  for (const message of [text, long]) {
    const answer = event(socket, "message");
    socket.send(message);
    equal((await answer).data, message);
  }
  const closed = event(socket, "close");
  socket.send("close");
  const { code, reason: why } = await closed;
  equal([code, why], [4001, reason]);
}
http.close();
http.closeAllConnections();
console.log("ok");
