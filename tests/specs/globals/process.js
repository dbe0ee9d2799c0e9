// flags: --allow-read --allow-env
// env: DUPLEX_A=a
// What a script can ask of its process.
import { assert, assertEquals } from "../_assert.js";

assertEquals(Deno.env.get("DUPLEX_A"), "a");
assertEquals(Deno.env.get("DUPLEX_NONE"), undefined);
assertEquals(Deno.env.has("DUPLEX_A"), true);
Deno.env.set("DUPLEX_B", "b");
assertEquals(Deno.env.toObject().DUPLEX_B, "b");
Deno.env.delete("DUPLEX_B");
assertEquals(Deno.env.has("DUPLEX_B"), false);
assertEquals(`${Deno.cwd()}/process.js`, import.meta.filename);
const memory = Deno.memoryUsage();
assert(memory.rss > 0 && memory.heapTotal > 0 && memory.heapUsed > 0);
assertEquals(Deno.args, []);
assertEquals(Deno.inspect({ a: 1 }), "{ a: 1 }");
assertEquals(Deno.inspect({ a: { b: {} } }, { depth: 0 }), "{ a: [Object] }");
console.log("ok");
