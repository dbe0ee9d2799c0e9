// exit: 7
// Deno.exit ends at once, with its code.
setTimeout(() => console.log("never"), 0);
console.log("before");
Deno.exit(7);
