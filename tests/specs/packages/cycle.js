// engine: v8
// A cycle of CommonJS and ES modules is an error that can be caught, and no hang.
import { assertEquals } from "../_assert.js";
import { early, late } from "cycle";

assertEquals(late, "late");
assertEquals(early, "Error");
console.log("ok");
