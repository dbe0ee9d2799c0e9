// client: phoenix
// ci: yes
// The server is a stand-in: Phoenix's own needs Elixir.
import { Socket } from "phoenix";
import { binary, equal, inbox, serve, text } from "./_kit.js";
import { channels } from "./_phoenix.js";

const server = await serve(channels);
const closed = inbox();
const socket = new Socket(`ws://127.0.0.1:${server.port}/socket`, {
  params: { token: text },
});
socket.onClose(closed.push);
socket.onError((error) => closed.push(error));
socket.connect();
const reply = (push) =>
  new Promise((resolve, reject) =>
    push.receive("ok", resolve).receive("error", reject)
  );

const channel = socket.channel("room:1", { text });
equal(await reply(channel.join()), { text });
equal(await reply(channel.push("echo", { text })), { text });
const long = text.repeat(10_000);
equal(await reply(channel.push("echo", { long })), { long });
equal(
  (await reply(channel.push("echo", binary.buffer))).byteLength,
  binary.length,
);
const news = inbox();
channel.on("news", news.push);
channel.push("tell", { text });
equal(await news.next(), { text });
equal(await reply(channel.push("fail", { text })).catch((error) => error), {
  text,
});
await reply(channel.leave());
socket.disconnect(null, 4002, "réason");
await closed.next();
await server.close();
console.log("ok");
