// client: jszmq
// server: jszmq
import { Buffer } from "node:buffer";
import { createServer } from "node:http";
import * as zmq from "jszmq";
import { binary, equal, equalBinary, inbox, listen, text } from "./_kit.js";

const http = createServer();
const port = await listen(http);
const url = `ws://127.0.0.1:${port}`;
const reply = new zmq.Rep();
reply.bind(`${url}/reqrep`, http);
reply.on("message", (...parts) => reply.send(parts));
const publisher = new zmq.XPub();
publisher.bind(`${url}/pubsub`, http);

const request = new zmq.Req();
const replies = inbox();
request.on("message", (...parts) => replies.push(parts));
request.connect(`${url}/reqrep`);
request.send([text, "last"]);
equal((await replies.next()).map(String), [text, "last"]);
request.send(Buffer.from(binary));
await equalBinary((await replies.next())[0]);

const subscriptions = inbox();
publisher.on("message", subscriptions.push);
const subscriber = new zmq.Sub();
const news = inbox();
subscriber.on("message", (...parts) => news.push(parts));
subscriber.subscribe("news");
subscriber.connect(`${url}/pubsub`);
equal(String(await subscriptions.next()), "\u0001news");
publisher.send(["other", "not for it"]);
publisher.send(["news", text]);
equal((await news.next()).map(String), ["news", text]);

for (const socket of [request, subscriber, reply, publisher]) socket.close();
http.close();
console.log("ok");
