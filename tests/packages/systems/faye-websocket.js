import { Buffer } from "node:buffer";
import { createServer } from "node:http";
import WebSocket from "faye-websocket";
import {
  binary,
  equal,
  equalBinary,
  event,
  listen,
  reason,
  text,
} from "../_kit.js";
import { system } from "./_system.js";

system({
  serve() {
    const http = createServer();
    http.on("upgrade", (request, stream, head) => {
      const socket = new WebSocket(request, stream, head);
      socket.onmessage = ({ data }) => {
        if (data === "close") socket.close(4001, reason);
        else if (data === "ping") socket.ping("p", () => socket.send("pong"));
        else socket.send(data);
      };
      socket.onclose = ({ code, reason }) =>
        console.log(`closed ${code} ${reason}`);
    });
    return listen(http);
  },
  async talk(url) {
    const socket = new WebSocket.Client(url.href);
    await event(socket, "open");
    socket.send(text);
    equal((await event(socket, "message")).data, text);
    socket.send(Buffer.from(binary));
    await equalBinary((await event(socket, "message")).data);
    await new Promise((resolve) => socket.ping("p", resolve));
    socket.close(4002, reason);
    await event(socket, "close");
    const other = new WebSocket.Client(url.href);
    await event(other, "open");
    other.send("close");
    const { code, reason: why } = await event(other, "close");
    equal([code, why], [4001, reason]);
  },
});
