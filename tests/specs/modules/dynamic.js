// flags: --allow-read
// import() by a computed name: one instance, namespaces, errors.
import { assertEquals, assertRejects } from "../_assert.js";

const name = "effects";
const first = await import(`./_lib/${name}.js`);
const second = await import(`./_lib/${name}.js`);
assertEquals(first === second, true);
assertEquals(globalThis.effects, 1);
const other = await import(`./_lib/${name}.js?again`);
assertEquals([other.effects, globalThis.effects], [2, 2]);

await assertRejects(import("./_lib/none.js"), "TypeError", "Module not found");
await assertRejects(import("bare"), "TypeError", "bare");
await assertRejects(
  import("data:text/javascript,throw new RangeError('inside')"),
  "RangeError",
  "inside",
);
const { answer } = await import("./_lib/answer.ts");
assertEquals(answer.value, 42);
console.log("ok");
