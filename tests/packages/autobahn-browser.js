// client: autobahn-browser
// flags: --unsafe-proto
// The server is a stand-in: Crossbar is written in Python.
import autobahn from "autobahn-browser";
import { equal, inbox, serve, text } from "./_kit.js";
import { router } from "./_wamp.js";

const server = await serve(router, "wamp.2.json");
const connection = new autobahn.Connection({
  url: `ws://127.0.0.1:${server.port}/`,
  realm: "realm",
  max_retries: 0,
});
const states = inbox();
connection.onopen = (session) => states.push(session);
connection.onclose = (why) => states.push(why);
connection.open();
const session = await states.next();
if (typeof session === "string") throw new Error(session);
const news = inbox();
await session.subscribe("news", ([message]) => news.push(message));
const long = text.repeat(10_000);
for (const message of [text, long]) {
  await session.publish("news", [message], {}, {
    acknowledge: true,
    exclude_me: false,
  });
  equal(await news.next(), message);
  equal(await session.call("echo", [message]), message);
}
const error = await session.call("fail", [text]).catch((error) => error);
equal([error.error, error.args], ["wrong", [text]]);
connection.close();
equal(await states.next(), "closed");
await server.close();
console.log("ok");
