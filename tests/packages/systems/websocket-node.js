import { Buffer } from "node:buffer";
import { createServer } from "node:http";
import websocket from "websocket";
import {
  binary,
  equal,
  equalBinary,
  inbox,
  listen,
  reason,
  text,
} from "../_kit.js";
import { system } from "./_system.js";

system({
  serve() {
    const http = createServer();
    const server = new websocket.server({
      httpServer: http,
      maxReceivedFrameSize: 1 << 20,
    });
    server.on("request", (request) => {
      const connection = request.accept();
      connection.on("message", ({ utf8Data, binaryData }) => {
        if (utf8Data === "close") connection.close(4001, reason);
        else if (utf8Data === "ping") connection.ping("p");
        else if (binaryData) connection.sendBytes(binaryData);
        else connection.sendUTF(utf8Data);
      });
      connection.on("pong", () => connection.sendUTF("pong"));
      connection.on(
        "close",
        (code, reason) => console.log(`closed ${code} ${reason}`),
      );
    });
    return listen(http);
  },
  async talk(url) {
    const connect = async () => {
      const client = new websocket.client();
      client.connect(url.href);
      const connection = await new Promise((resolve, reject) => {
        client.on("connect", resolve);
        client.on("connectFailed", reject);
      });
      const events = inbox();
      connection.on("message", events.push);
      connection.on("pong", () => events.push("pong"));
      connection.on("close", (code, reason) => events.push([code, reason]));
      return { connection, events };
    };
    const { connection, events } = await connect();
    connection.sendUTF(text);
    equal((await events.next()).utf8Data, text);
    connection.sendBytes(Buffer.from(binary));
    await equalBinary((await events.next()).binaryData);
    connection.ping("p");
    equal(await events.next(), "pong");
    connection.close(4002, reason);
    await events.next();
    const other = await connect();
    other.connection.sendUTF("close");
    equal(await other.events.next(), [4001, reason]);
  },
});
