// exit: 1
// stderr: error: [*]The JSON is malformed: expected ident at line 1 column 9
// stderr:   Specifier: data:application/json,{ %22a%22: nope }
// stderr:     at file:///[*]/json_malformed.js:[*]
// deno: does not name the module
// Malformed JSON that the program needs is named with its place.
import "data:application/json,{ %22a%22: nope }" with { type: "json" };
