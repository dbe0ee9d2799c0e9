// exit: 1
// stderr: error: Module not found "file://[*]/sloppy/_typed". Maybe add a '.ts' extension.
// stderr:     at file://[*]/sloppy/strict.js:7:23
// deno: names the flag as well
// Without the flag there is no guessing.

import { typed } from "./_typed";

console.log(typed);
