// client: discord.js
// The server is a stand-in: Discord is a service.
import { Client, Events, GatewayIntentBits } from "discord.js";
import { createServer } from "node:http";
import { WebSocketServer } from "ws";
import { equal, exit, inbox, listen, text } from "./_kit.js";

// The numbers of their gateway.
const [DISPATCH, HEARTBEAT, IDENTIFY, HELLO, HEARTBEAT_ACK] = [0, 1, 2, 10, 11];
const user = { id: "1", username: text, discriminator: "0", bot: true };
const gateway = () => `ws://127.0.0.1:${http.address().port}`;
const http = createServer((request, response) => {
  response.setHeader("content-type", "application/json");
  const answers = {
    "/v10/gateway/bot": {
      url: gateway(),
      shards: 1,
      session_start_limit: {
        total: 9,
        remaining: 9,
        reset_after: 0,
        max_concurrency: 1,
      },
    },
  };
  response.end(JSON.stringify(answers[request.url] ?? {}));
});
const sockets = new WebSocketServer({ server: http });
const closes = inbox();
sockets.on("connection", (socket) => {
  let s = 0;
  const send = (op, d, t) =>
    socket.send(JSON.stringify({ op, d, t, s: t ? ++s : null }));
  socket.on("message", (data) => {
    const { op, d } = JSON.parse(data);
    if (op === HEARTBEAT) send(HEARTBEAT_ACK);
    if (op !== IDENTIFY) return;
    equal(d.token, "token");
    const resume_gateway_url = gateway();
    const ready = {
      v: 10,
      user,
      guilds: [],
      session_id: "s",
      resume_gateway_url,
      shard: [0, 1],
    };
    send(DISPATCH, { ...ready, application: { id: "1", flags: 0 } }, "READY");
    for (const content of [text, text.repeat(10_000)]) {
      const message = {
        id: "2",
        channel_id: "3",
        author: user,
        content,
        timestamp: 0,
      };
      send(
        DISPATCH,
        { ...message, type: 0, embeds: [], attachments: [] },
        "MESSAGE_CREATE",
      );
    }
  });
  socket.on("close", (code) => closes.push(code));
  send(HELLO, { heartbeat_interval: 45_000 });
});
const port = await listen(http);

const client = new Client({
  intents: [GatewayIntentBits.Guilds, GatewayIntentBits.DirectMessages],
  rest: { api: `http://127.0.0.1:${port}` },
});
const events = inbox();
client.once(Events.ClientReady, ({ user }) => events.push(user.username));
client.on(
  Events.Raw,
  ({ t, d }) => t === "MESSAGE_CREATE" && events.push(d.content.length),
);
await client.login("token");
const got = [await events.next(), await events.next(), await events.next()];
equal(got.sort(), [text.length, text.length * 10_000, text].sort());
await client.destroy();
equal(await closes.next(), 1000);
console.log("ok");
exit();
