// deno-lint-ignore-file no-var no-unused-vars
var fromFirst = typeof fromSecond + location.pathname.split("/").at(-1);
