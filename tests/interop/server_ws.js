import process from "node:process";
import { WebSocketServer } from "ws";
import { perMessageDeflate } from "./client.js";

const server = new WebSocketServer({
  host: "127.0.0.1",
  port: 0,
  perMessageDeflate: perMessageDeflate(process.argv[2]),
  handleProtocols: (offered) => offered.has("duplex.test") && "duplex.test",
});
server.on("listening", () => console.log(`listening ${server.address().port}`));
server.on("connection", (socket) => {
  socket.on("message", (data, isBinary) => {
    const text = isBinary ? "" : data.toString();
    const order = /^close (\d+) (.*)$/.exec(text);
    if (order) socket.close(Number(order[1]), order[2]);
    else if (text === "ping") socket.ping("server's");
    else socket.send(data, { binary: isBinary });
  });
  socket.on("pong", () => socket.send("ponged"));
  socket.on("close", (code, reason) => console.log(`closed ${code} ${reason}`));
  socket.on("error", (error) => console.log(`failed ${error.message}`));
});
