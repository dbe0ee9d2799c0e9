// exit: 1
// stderr: error: [*]nonesuch[*]
// stderr:   hint: [*]
// stderr:     at file:///[*]/packages/missing.js:[*]
// deno: says it in other words
// A package that is not there.
import "nonesuch";
