// client: rpc-websockets
// server: rpc-websockets
import { once } from "node:events";
import { Client, Server } from "rpc-websockets";
import { equal, inbox, reason, text } from "./_kit.js";

const server = new Server({ host: "127.0.0.1", port: 0 });
await once(server, "listening");
server.register("echo", ([message]) => message);
server.register("secret", () => text).protected();
server.setAuth(({ name }) => name === text);
server.event("news");

const url = `ws://127.0.0.1:${server.wss.address().port}`;
const client = new Client(url, { reconnect: false });
await once(client, "open");
const long = text.repeat(10_000);
equal(await client.call("echo", [text]), text);
equal(await client.call("echo", [long]), long);
const refused = await client.call("secret").catch((error) => error);
equal(refused.message, "Method forbidden");
equal(await client.login({ name: text }), true);
equal(await client.call("secret"), text);
await client.subscribe("news");
const news = inbox();
client.on("news", news.push);
server.emit("news", text);
equal(await news.next(), text);
client.close(4002, reason);
const [code, why] = await once(client, "close");
equal([code, why], [4002, reason]);
await server.close();
console.log("ok");
