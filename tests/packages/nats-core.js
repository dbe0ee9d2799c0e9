// client: @nats-io/nats-core
// peer: nats-server
import { wsconnect } from "@nats-io/nats-core";
import process from "node:process";
import { binary, equal, equalBinary, text } from "./_kit.js";

const connection = await wsconnect({ servers: process.env.NATS_URL });
const subscription = connection.subscribe("echo.*");
(async () => {
  for await (const message of subscription) message.respond(message.data);
})();
equal((await connection.request("echo.text", text)).string(), text);
await equalBinary((await connection.request("echo.binary", binary)).data);
const nobody = await connection.request("nobody", text).catch((error) => error);
equal(nobody.isNoResponders?.(), true);
await connection.drain();
equal(await connection.closed(), undefined);
console.log("ok");
