// exit: 1
// engine: v8
// stderr: [*]hint: Write `with` in place of `assert`[*]
// deno: it has another text
import value from "./_value.json" assert { type: "json" };
console.log(value);
