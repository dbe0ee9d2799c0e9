// flags: -A
// env: DUPLEX_SPEC=value
// -A allows everything.
import { assertEquals } from "../_assert.js";

for (const name of ["net", "read", "write", "env"]) {
  assertEquals((await Deno.permissions.query({ name })).state, "granted");
}
assertEquals(Deno.env.get("DUPLEX_SPEC"), "value");
console.log("ok");
