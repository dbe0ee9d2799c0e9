// exit: 1
// engine: v8
// stderr: [*]hint: duplex has no Deno.test. Import `test` from "node:test"[*]
// deno: it has Deno.test
Deno.test("nothing", () => {});
