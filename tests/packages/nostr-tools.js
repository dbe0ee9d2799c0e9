// client: nostr-tools
// The server is a stand-in for a relay.
import {
  finalizeEvent,
  generateSecretKey,
  verifyEvent,
} from "nostr-tools/pure";
import { Relay } from "nostr-tools/relay";
import { equal, inbox, serve, text } from "./_kit.js";

const server = await serve((socket) => {
  const send = (...message) => socket.send(JSON.stringify(message));
  const subscriptions = [];
  socket.onmessage = ({ data }) => {
    const [kind, value] = JSON.parse(data);
    if (kind === "REQ") {
      subscriptions.push(value);
      send("EOSE", value);
    } else if (kind === "EVENT") {
      send("OK", value.id, true, "");
      for (const id of subscriptions) send("EVENT", id, value);
    }
  };
});
const relay = await Relay.connect(`ws://127.0.0.1:${server.port}`);
const events = inbox();
const subscription = relay.subscribe([{ kinds: [1] }], {
  onevent: events.push,
  oneose: () => events.push("all stored"),
});
equal(await events.next(), "all stored");
for (const content of [text, text.repeat(10_000)]) {
  const note = { kind: 1, created_at: 1_700_000_000, tags: [], content };
  await relay.publish(finalizeEvent(note, generateSecretKey()));
  const event = await events.next();
  equal([event.content, verifyEvent(event)], [content, true]);
}
subscription.close();
relay.close();
await server.close();
console.log("ok");
