// exit: 1
// stdout: before
console.log("before");
function inner() {
  throw new TypeError("deliberate");
}
inner();
console.log("never");
