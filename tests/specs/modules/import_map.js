// flags: --import-map _lib/import_map.json --allow-read
// An import map given by its flag.
import { answer } from "mapped";
import { both } from "lib/cycle_a.js";
import { assertEquals } from "../_assert.js";

assertEquals(answer.value, 42);
assertEquals(both(), "aba");
assertEquals(import.meta.resolve("mapped").endsWith("_lib/answer.ts"), true);
console.log("ok");
