// stdout: text { a: [ 1, { b: "c" } ] } 1 null undefined Symbol(s) [Function: f]
// stdout: 42 is an integer, {"j":1} json %
// stdout: Map(1) { "k" => 1 } Set(1) { 2 } [ <2 empty items>, 3 ]
// stderr: to stderr
console.log(
  "text",
  { a: [1, { b: "c" }] },
  1,
  null,
  undefined,
  Symbol("s"),
  function f() {},
);
console.log("%d is an integer, %j json %%", 42.9, { j: 1 });
console.log(new Map([["k", 1]]), new Set([2]), [, , 3]);
console.error("to stderr");
