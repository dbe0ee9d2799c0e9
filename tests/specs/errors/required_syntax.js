// flags: --allow-read
// exit: 1
// deno: it names the place where the file is required only
// stderr: error: [*]
// stderr:   |
// stderr: 2 | const b = ;
// stderr:   |           ~
// stderr:     at file:///[*]/errors/syntax/_required.cjs:2:11[*]
// A file that require() cannot compile is named, with the place. On V8 those who require it
// follow; the stack of QuickJS does not reach them.
import { createRequire } from "node:module";

createRequire(import.meta.url)("./syntax/_required.cjs");
