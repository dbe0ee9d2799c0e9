// client: centrifuge
// The server is a stand-in: Centrifugo is written in Go.
import { Centrifuge } from "centrifuge";
import { equal, inbox, serve, text } from "./_kit.js";

const server = await serve((socket) => {
  const send = (reply) => socket.send(JSON.stringify(reply));
  socket.onmessage = ({ data }) => {
    for (const line of data.split("\n")) {
      const { id, ...command } = JSON.parse(line);
      const [[method, request]] = Object.entries(command);
      if (method === "connect") {
        send({
          id,
          connect: { client: "c", version: "1", ping: 25, pong: true },
        });
      } else if (method === "rpc") {
        send({ id, rpc: { data: request.data } });
      } else {
        send({ id, [method]: {} });
        const { channel, data } = request;
        if (method === "publish") send({ push: { channel, pub: { data } } });
      }
    }
  };
});
const client = new Centrifuge(
  `ws://127.0.0.1:${server.port}/connection/websocket`,
);
const states = inbox();
client.on("connected", ({ client }) => states.push(client));
client.on("disconnected", ({ code }) => states.push(code));
client.connect();
equal(await states.next(), "c");
const subscription = client.newSubscription("news");
const news = inbox();
subscription.on("subscribed", () => news.push("subscribed"));
subscription.on("publication", ({ data }) => news.push(data));
subscription.subscribe();
equal(await news.next(), "subscribed");
const long = text.repeat(10_000);
for (const message of [{ text }, { long }]) {
  await subscription.publish(message);
  equal(await news.next(), message);
}
equal((await client.rpc("echo", { text })).data, { text });
client.disconnect();
equal(await states.next(), 0);
await server.close();
console.log("ok");
