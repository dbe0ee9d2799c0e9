// flags: --allow-read
// JSON modules need their attribute.
import data from "./_lib/data.json" with { type: "json" };
import { assertEquals, assertRejects } from "../_assert.js";

assertEquals(data, { name: "data", list: [1, 2, 3] });
const again = await import("./_lib/data.json", { with: { type: "json" } });
assertEquals(again.default === data, true);
await assertRejects(import("./_lib/data.json"), "TypeError");
console.log("ok");
