// client: socketcluster-client
// server: socketcluster-server
import { createServer } from "node:http";
import client from "socketcluster-client";
import server from "socketcluster-server";
import { equal, listen, reason, text } from "./_kit.js";

const http = createServer();
const cluster = server.attach(http);
(async () => {
  for await (const { socket } of cluster.listener("connection")) {
    (async () => {
      for await (const request of socket.procedure("echo")) {
        if (request.data === "fail") request.error(new Error(text));
        else request.end(request.data);
      }
    })();
    (async () => {
      for await (const _ of socket.receiver("leave")) {
        socket.disconnect(4001, reason);
      }
    })();
  }
})();
const port = await listen(http);

const socket = client.create({
  hostname: "127.0.0.1",
  port,
  autoReconnect: false,
});
const { error } = await Promise.race([
  socket.listener("connect").once(),
  socket.listener("error").once(),
]);
if (error) throw error;
const long = text.repeat(10_000);
equal(await socket.invoke("echo", text), text);
equal(await socket.invoke("echo", { long }), { long });
const refused = await socket.invoke("echo", "fail").catch((error) => error);
equal(refused.message, text);
const channel = socket.subscribe("news");
await channel.listener("subscribe").once();
const news = channel.createConsumer();
await socket.invokePublish("news", text);
equal((await news.next()).value, text);
const gone = socket.listener("disconnect").once();
socket.transmit("leave");
const { code, reason: why } = await gone;
equal([code, why], [4001, reason]);
socket.closeAllListeners();
await cluster.close();
http.close();
console.log("ok");
