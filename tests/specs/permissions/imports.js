// Static imports of local files need no permission; computed ones do.
import { assertRejects } from "../_assert.js";

const name = "./" + ["sco", "ped.js"].join("");
await assertRejects(
  import(name),
  "TypeError",
  'scoped.js", run again with the --allow-read flag',
);
console.log("ok");
