import { createServer } from "node:http";
import { Server } from "socket.io";
import { io } from "socket.io-client";
import { binary, equal, equalBinary, inbox, listen, text } from "../_kit.js";
import { system } from "./_system.js";

system({
  serve() {
    const http = createServer();
    const server = new Server(http);
    server.on("connection", (socket) => {
      socket.on("echo", (message, answer) => answer(message));
      socket.on("leave", () => socket.disconnect());
    });
    return listen(http);
  },
  async talk({ host }) {
    for (
      const transports of [["websocket"], ["polling"], ["polling", "websocket"]]
    ) {
      const socket = io(`http://${host}`, { transports, forceNew: true });
      const left = inbox();
      socket.on("disconnect", left.push);
      socket.on("connect_error", left.push);
      equal(await socket.emitWithAck("echo", text), text);
      await equalBinary(await socket.emitWithAck("echo", binary));
      socket.emit("leave");
      equal(await left.next(), "io server disconnect");
    }
  },
});
