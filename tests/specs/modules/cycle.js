// Modules that import each other.
import { both } from "./_lib/cycle_a.js";
import { assertEquals } from "../_assert.js";

assertEquals(both(), "aba");
console.log("ok");
