// What tests/inspector.rs debugs. The types move the lines of the code that runs.
interface Counter {
  count: number;
  name: string;
}

type Names = readonly string[];

const counter: Counter = { count: 0, name: "counter" };
const names: Names = ["a", "b"];

function countUp(by: number): number {
  const before = counter.count;
  counter.count = before + by;
  return counter.count;
}

for (const name of names) countUp(name.length);
console.log("counted", counter.count);
