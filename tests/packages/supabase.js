// client: @supabase/supabase-js
// The server is a stand-in: Supabase's own is written in Elixir.
import { createClient } from "@supabase/supabase-js";
import { equal, exit, inbox, serve, text } from "./_kit.js";
import { channels } from "./_phoenix.js";

const server = await serve(channels);
const client = createClient(`http://127.0.0.1:${server.port}`, "key");
const channel = client.channel("room", {
  config: { broadcast: { ack: true, self: true } },
});
const news = inbox();
channel.on("broadcast", { event: "news" }, ({ payload }) => news.push(payload));
await new Promise((resolve, reject) => {
  channel.subscribe((status, error) =>
    status === "SUBSCRIBED" ? resolve() : reject(error)
  );
});
const long = text.repeat(10_000);
for (const payload of [{ text }, { long }]) {
  equal(
    await channel.send({ type: "broadcast", event: "news", payload }),
    "ok",
  );
  equal(await news.next(), payload);
}
equal(await client.removeChannel(channel), "ok");
await client.realtime.disconnect();
await server.close();
console.log("ok");
// Its heartbeat goes on.
exit();
