// flags: --allow-net=127.0.0.1,localhost:7 --deny-net=127.0.0.1:9 --allow-read=. --allow-env=HOME
// Permissions for a part: hosts, ports, folders, names.
import { assertEquals, assertRejects, assertThrows } from "../_assert.js";

const state = async (descriptor) =>
  (await Deno.permissions.query(descriptor)).state;
const net = (host) => state({ name: "net", host });

assertEquals(await net("127.0.0.1:1"), "granted");
assertEquals(await net("127.0.0.1:9"), "denied");
assertEquals(await net("localhost:7"), "granted");
assertEquals(await net("localhost:8"), "prompt");
assertEquals(await state({ name: "read", path: "denied.js" }), "granted");
assertEquals(await state({ name: "read", path: ".." }), "prompt");
assertEquals(await state({ name: "env", variable: "HOME" }), "granted");
assertEquals(await state({ name: "env", variable: "USER" }), "prompt");

assertThrows(() => new WebSocket("ws://127.0.0.1:9/"), "NotCapable", ":9");
assertThrows(() => new WebSocket("ws://localhost:8/"), "NotCapable", ":8");
Deno.listen({ hostname: "127.0.0.1", port: 0 }).close();
assertThrows(() => Deno.listen({ port: 0 }), "NotCapable", "0.0.0.0:0");
assertEquals((await Deno.readTextFile("scoped.js")).length > 0, true);
await assertRejects(Deno.readTextFile("../_raw.js"), "NotCapable");
assertThrows(() => Deno.env.get("USER"), "NotCapable");
console.log("ok");
