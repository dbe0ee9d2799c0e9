// client: nats.ws
// ci: yes
// peer: nats-server
import { connect, StringCodec } from "nats.ws";
import process from "node:process";
import { binary, equal, equalBinary, text } from "./_kit.js";

const codec = StringCodec();
const connection = await connect({ servers: process.env.NATS_URL });
const subscription = connection.subscribe("echo");
(async () => {
  for await (const message of subscription) message.respond(message.data);
})();
const answer = await connection.request("echo", codec.encode(text));
equal(codec.decode(answer.data), text);
await equalBinary((await connection.request("echo", binary)).data);
await connection.flush();
await connection.drain();
equal(await connection.closed(), undefined);
console.log("ok");
