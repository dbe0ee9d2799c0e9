// client: pusher-js/worker
// node: it has no `self`
// The server is a stand-in: Pusher is a service.
import { createRequire } from "node:module";
import { equal, inbox, serve, text } from "./_kit.js";
import { channels } from "./_pusher.js";

// A folder, which only require() takes by its name.
const Pusher = createRequire(import.meta.url)("pusher-js/worker");
const server = await serve(channels);
const pusher = new Pusher("key", {
  cluster: "none",
  wsHost: "127.0.0.1",
  wsPort: server.port,
  forceTLS: false,
  enabledTransports: ["ws"],
  channelAuthorization: {
    customHandler: (_, callback) => callback(null, { auth: "key:signature" }),
  },
});
const channel = pusher.subscribe("private-room");
const events = inbox();
channel.bind("pusher:subscription_succeeded", () => events.push("subscribed"));
channel.bind("pusher:subscription_error", events.push);
channel.bind("client-news", events.push);
equal(await events.next(), "subscribed");
const long = text.repeat(10_000);
for (const data of [{ text }, { long }]) {
  channel.trigger("client-news", data);
  equal(await events.next(), data);
}
pusher.connection.bind("disconnected", () => events.push("disconnected"));
pusher.disconnect();
equal(await events.next(), "disconnected");
await server.close();
console.log("ok");
