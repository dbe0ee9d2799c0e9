// client: @rails/actioncable
// deno: it looks for the constants of WebSocket with for-in, where they are not enumerable
// The server is a stand-in: Action Cable's own is a part of Rails.
import { adapters, createConsumer } from "@rails/actioncable";
import { equal, inbox, serve, text } from "./_kit.js";

const server = await serve((socket) => {
  const send = (message) => socket.send(JSON.stringify(message));
  socket.onmessage = ({ data: message }) => {
    const { command, identifier, data } = JSON.parse(message);
    if (command === "subscribe") {
      send({ type: "confirm_subscription", identifier });
    }
    if (command === "message") send({ identifier, message: JSON.parse(data) });
  };
  send({ type: "welcome" });
}, "actioncable-v1-json");
// What it takes from a page.
adapters.WebSocket = WebSocket;
globalThis.document ??= { visibilityState: "visible" };
globalThis.addEventListener ??= () => {};
globalThis.removeEventListener ??= () => {};

const consumer = createConsumer(`ws://127.0.0.1:${server.port}/cable`);
const events = inbox();
const subscription = consumer.subscriptions.create("Room", {
  connected: () => events.push("connected"),
  received: events.push,
});
equal(await events.next(), "connected");
const long = text.repeat(10_000);
for (const message of [text, long]) {
  subscription.perform("speak", { message });
  equal(await events.next(), { message, action: "speak" });
}
consumer.disconnect();
await server.close();
console.log("ok");
