// flags: --allow-net
// deno: has no topics
// A socket may have very many topics; a limit ends the connection.
import { assert, assertEquals, once } from "../_assert.js";

async function open(options) {
  const accepted = Promise.withResolvers();
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    (request) => {
      const { socket, response } = Deno.upgradeWebSocket(request, options);
      socket.onopen = () => accepted.resolve(socket);
      return response;
    },
  );
  const client = new WebSocket(`ws://127.0.0.1:${server.addr.port}/`);
  const socket = await accepted.promise;
  return { client, server, socket };
}

{
  const { client, server, socket } = await open({});
  const subscribe = (count) => {
    for (let i = 0; i < count; i++) assert(socket.subscribe(`${count} ${i}`));
    for (let i = 0; i < count; i += 2) socket.unsubscribe(`${count} ${i}`);
  };
  subscribe(2000);
  // This would not end within the time that a spec has, were each looked for among all.
  subscribe(120_000);
  const { subscriptions } = socket;
  assertEquals(subscriptions.length, 61_000);
  assertEquals(
    [subscriptions[0], subscriptions[999], subscriptions[1000]],
    ["2000 1", "2000 1999", "120000 1"],
  );
  assert(!socket.isSubscribed("2000 0") && socket.isSubscribed("2000 1"));
  assertEquals(server.subscriberCount("120000 119999"), 1);
  const closed = once(client, "close");
  socket.close();
  await closed;
  await server.shutdown();
}

for (
  const [options, topics, error] of [
    [
      { maxTopics: 2 },
      ["a", "b", "a", "c"],
      "subscriptions exceed maxTopics (2)",
    ],
    [
      { maxTopicLength: 4 },
      ["four", "\u20acs", "\u20acss"],
      "topic is longer than maxTopicLength (4 bytes)",
    ],
    [{}, ["x".repeat(256), "x".repeat(257)], "maxTopicLength (256 bytes)"],
  ]
) {
  const { client, server, socket } = await open(options);
  const failed = once(socket, "error");
  const closed = once(client, "close");
  const results = topics.map((topic) => socket.subscribe(topic));
  assertEquals(results.at(-1), false);
  assertEquals(results.filter(Boolean).length, new Set(topics).size - 1);
  assert((await failed).message.includes(error), error);
  assertEquals((await closed).code, 1008);
  await server.shutdown();
}
console.log("ok");
