// client: subscriptions-transport-ws
// server: subscriptions-transport-ws
import { buildSchema, execute, subscribe } from "graphql";
import { once } from "node:events";
import {
  SubscriptionClient,
  SubscriptionServer,
} from "subscriptions-transport-ws";
import { WebSocket, WebSocketServer } from "ws";
import { equal, inbox, text } from "./_kit.js";

const schema = buildSchema(`
  type Query { echo(message: String!): String }
  type Subscription { letters(message: String!): String }
`);
const rootValue = {
  echo: ({ message }) => message,
  async *letters({ message }) {
    for (const letters of message) {
      await Promise.resolve();
      yield { letters };
    }
  },
};
const sockets = new WebSocketServer({ host: "127.0.0.1", port: 0 });
await once(sockets, "listening");
SubscriptionServer.create({ schema, execute, subscribe, rootValue }, sockets);

const url = `ws://127.0.0.1:${sockets.address().port}`;
const client = new SubscriptionClient(url, { reconnect: false }, WebSocket);
const results = async (query, variables) => {
  const got = inbox();
  client.request({ query, variables }).subscribe({
    next: ({ data }) => got.push({ data }),
    error: (error) => got.push({ error }),
    complete: () => got.push({ done: true }),
  });
  const values = [];
  for (;;) {
    const { data, error, done } = await got.next();
    if (error) throw error;
    if (done) return values;
    values.push(data);
  }
};
const long = text.repeat(10_000);
for (const message of [text, long]) {
  const query = "query ($message: String!) { echo(message: $message) }";
  equal(await results(query, { message }), [{ echo: message }]);
}
const subscription =
  "subscription ($message: String!) { letters(message: $message) }";
const letters = await results(subscription, { message: text });
equal(letters.map(({ letters }) => letters), [...text]);
const closed = inbox();
client.onDisconnected(() => closed.push());
client.close();
await closed.next();
sockets.close();
console.log("ok");
