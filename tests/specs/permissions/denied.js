// Nothing is allowed: every way out names the flag that would allow it.
import { assertEquals, assertRejects, assertThrows } from "../_assert.js";

const needs = (what, flag) =>
  `Requires ${what}, run again with the --allow-${flag} flag`;
const net = (host) => needs(`net access to "${host}"`, "net");
const handler = () => new Response();

const error = assertThrows(
  () => new WebSocket("ws://127.0.0.1:1/"),
  "NotCapable",
  net("127.0.0.1:1"),
);
assertEquals(error instanceof Deno.errors.NotCapable, true);
assertThrows(
  () => new WebSocket("ws://no-such-host.invalid/"),
  "NotCapable",
  net("no-such-host.invalid:80"),
);
assertThrows(
  () => Deno.serve({ port: 8123 }, handler),
  "NotCapable",
  net("0.0.0.0:8123"),
);
assertThrows(
  () => Deno.listen({ port: 8123 }),
  "NotCapable",
  net("0.0.0.0:8123"),
);
await assertRejects(
  Deno.connect({ port: 8123 }),
  "NotCapable",
  net("127.0.0.1:8123"),
);
await assertRejects(
  fetch("http://127.0.0.1:8123/"),
  "NotCapable",
  net("127.0.0.1:8123"),
);
const read = needs('read access to "x"', "read");
await assertRejects(Deno.readFile("x"), "NotCapable", read);
await assertRejects(Deno.readTextFile("x"), "NotCapable", read);
await assertRejects(Deno.open("x"), "NotCapable", read);
await assertRejects(Deno.stat("x"), "NotCapable", read);
const write = needs('write access to "x"', "write");
await assertRejects(Deno.writeTextFile("x", "y"), "NotCapable", write);
assertThrows(
  () => Deno.env.get("SECRET"),
  "NotCapable",
  needs('env access to "SECRET"', "env"),
);
for (const name of ["net", "read", "write", "env"]) {
  assertEquals((await Deno.permissions.query({ name })).state, "prompt");
}
console.log("ok");
