// stdout: 1
// stdout: 2
// stdout: 3
// A module that waits, and one that imports it.
console.log(1);
const two: number = await new Promise((resolve) => setTimeout(resolve, 1, 2));
console.log(two);
const { three } = await import(
  "data:text/javascript,export const three = await Promise.resolve(3)"
);
console.log(three);
