// client: @feathersjs/socketio-client
// server: @feathersjs/socketio
import { feathers } from "@feathersjs/feathers";
import socketio from "@feathersjs/socketio";
import client from "@feathersjs/socketio-client";
import { once } from "node:events";
import { io } from "socket.io-client";
import { equal, inbox, text } from "./_kit.js";

const app = feathers();
app.configure(socketio());
const stored = [];
app.use("messages", {
  find: () => Promise.resolve(stored),
  create(data) {
    if (data.fail) return Promise.reject(new Error(data.fail));
    const message = { id: stored.length, ...data };
    stored.push(message);
    return Promise.resolve(message);
  },
});
app.on("connection", (connection) => app.channel("all").join(connection));
app.service("messages").publish(() => app.channel("all"));
const server = await app.listen({ host: "127.0.0.1", port: 0 });
if (!server.listening) await once(server, "listening");

const socket = io(`http://127.0.0.1:${server.address().port}`, {
  transports: ["websocket"],
});
const far = feathers();
far.configure(client(socket));
const messages = far.service("messages");
const created = inbox();
messages.on("created", created.push);
const long = text.repeat(10_000);
for (const [id, words] of [text, long].entries()) {
  equal(await messages.create({ words }), { id, words });
  equal(await created.next(), { id, words });
}
equal((await messages.find()).length, 2);
const error = await messages.create({ fail: text }).catch((error) => error);
equal(error.message, text);
socket.close();
await app.teardown();
await app.io.close();
console.log("ok");
