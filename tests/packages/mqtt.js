// client: mqtt
// peer: rabbitmq-server
import mqtt from "mqtt";
import process from "node:process";
import { binary, equal, equalBinary, inbox, text } from "./_kit.js";

const client = await mqtt.connectAsync(process.env.MQTT_URL, {
  username: "guest",
  password: "guest",
  reconnectPeriod: 0,
});
const messages = inbox();
client.on("message", (topic, payload) => messages.push([topic, payload]));
await client.subscribeAsync("duplex/+", { qos: 1 });
await client.publishAsync("duplex/text", text, { qos: 1 });
let [topic, payload] = await messages.next();
equal([topic, String(payload)], ["duplex/text", text]);
await client.publishAsync("duplex/binary", binary, { qos: 1 });
[topic, payload] = await messages.next();
equal(topic, "duplex/binary");
await equalBinary(payload);
await client.endAsync();
console.log("ok");
