// deno-lint-ignore-file no-var no-unused-vars
var fromSecond = 2;
