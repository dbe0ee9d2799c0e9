// flags: --allow-net --deny-net=127.0.0.1,[::1]
// deno: checks no addresses that a WebSocket's name stands for
// A name that is allowed stands for an address that is denied: nothing is dialled,
// over TLS and with a client as well.
import { assertEquals, once } from "../_assert.js";

const client = Deno.createHttpClient({});
for (const url of ["ws://localhost:9/", "wss://localhost:9/"]) {
  for (const options of [{}, { client }]) {
    const { message } = await once(new WebSocket(url, options), "error");
    const denied = /Requires net access to "(127\.0\.0\.1|\[::1\]):9"/;
    assertEquals(denied.test(message), true, message);
  }
}
// A proxy is a host too.
const proxied = Deno.createHttpClient({ proxy: { url: "http://localhost:9" } });
const { message } = await once(
  new WebSocket("ws://name.invalid/", { client: proxied }),
  "error",
);
assertEquals(message.includes("Requires net access to"), true, message);
console.log("ok");
