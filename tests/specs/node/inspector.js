// flags: -A
// deno: it has an inspector
// There is no inspector: who wants one is told so, and the program goes on.
import inspector from "node:inspector";
import { assertThrows } from "../_assert.js";

assertThrows(() => inspector.open(0), "NotSupported", "no inspector");
assertThrows(() => new inspector.Session().connect(), "NotSupported");
console.log("ok");
