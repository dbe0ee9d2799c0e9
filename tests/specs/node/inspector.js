// flags: -A
// deno: it has an inspector
// A program cannot open the inspector: it is told so, and goes on.
import inspector from "node:inspector";
import { assertThrows } from "../_assert.js";

assertThrows(() => inspector.open(0), "NotSupported", "no inspector");
assertThrows(() => new inspector.Session().connect(), "NotSupported");
console.log("ok");
