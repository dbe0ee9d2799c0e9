// flags: --allow-net --allow-read
// A permission can be given back.
import { assertEquals, assertThrows } from "../_assert.js";

assertEquals(Deno.permissions.querySync({ name: "net" }).state, "granted");
const status = await Deno.permissions.revoke({ name: "net" });
assertEquals(status.state, "prompt");
assertThrows(() => new WebSocket("ws://127.0.0.1/"), "NotCapable");
assertEquals(
  (await Deno.permissions.request({ name: "read" })).state,
  "granted",
);
console.log("ok");
