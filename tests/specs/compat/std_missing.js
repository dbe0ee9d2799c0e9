// exit: 1
// deno: needs the network there
// stderr: error: Other modules of deno.land/std are not supported: "https://deno.land/std@0.92.0/fs/mod.ts"
// stderr:   hint: Of deno.land/std there are async/delay.ts, [*], ws/mod.ts.
// stderr:     at [*]std_missing.js:8:8
// deno-lint-ignore-file no-import-prefix
// A module of std that is not built in.
import "https://deno.land/std@0.92.0/fs/mod.ts";
