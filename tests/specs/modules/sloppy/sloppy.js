// flags: --unstable-sloppy-imports
// A path may lack its extension, have that of the JavaScript to come, or name a folder.
import { assertEquals } from "../../_assert.js";
import { folder } from "./_folder";
import { typed } from "./_typed";

assertEquals([folder, typed], ["folder", "typed"]);
assertEquals((await import("./_typed.js")).typed, "typed");
console.log("ok");
