// client: @stomp/stompjs
// peer: rabbitmq-server
import { Client } from "@stomp/stompjs";
import process from "node:process";
import { binary, equal, equalBinary, inbox, text } from "./_kit.js";

const events = inbox();
const client = new Client({
  brokerURL: process.env.STOMP_URL,
  connectHeaders: { login: "guest", passcode: "guest" },
  reconnectDelay: 0,
  onConnect: () => events.push("connected"),
  onWebSocketClose: ({ code }) => events.push(code),
  onStompError: ({ headers }) => events.push(headers.message),
  onWebSocketError: () => events.push("no connection"),
});
client.activate();
equal(await events.next(), "connected");
const destination = "/topic/duplex";
const subscription = client.subscribe(destination, events.push, {
  receipt: "r",
});
const receipts = inbox();
client.watchForReceipt("r", receipts.push);
await receipts.next();
client.publish({ destination, body: text, headers: { name: text } });
const message = await events.next();
equal([message.body, message.headers.name], [text, text]);
client.publish({ destination, binaryBody: binary });
await equalBinary((await events.next()).binaryBody);
subscription.unsubscribe();
await client.deactivate();
equal(await events.next(), 1000);
console.log("ok");
