// deno: lets microtasks of two messages mix
// Messages come in order, each after all microtasks of the one before.
import { assertEquals } from "../_assert.js";
import { inline, received } from "../_worker.js";

const log = `
  const seen = [];
  async function handle(data) {
    seen.push(data);
    for (let i = 0; i < 20; i++) await null;
    seen.push(data + "b");
  }
`;
const worker = inline(`
  ${log}
  onmessage = ({ data }) => {
    if (data === "end") postMessage(seen.join(" "));
    else handle(data);
  };
`);
for (const message of ["1", "2", "3", "end"]) worker.postMessage(message);
assertEquals(await received(worker), "1 1b 2 2b 3 3b");
worker.terminate();

const seen = [];
const sender = inline(`
  for (let i = 1; i <= 1000; i++) postMessage(i);
  close();
`);
sender.onmessage = async ({ data }) => {
  seen.push(data);
  for (let i = 0; i < 20; i++) await null;
  seen.push(-data);
};
addEventListener("unload", () => {
  assertEquals(seen.length, 2000);
  for (let i = 0; i < 1000; i++) {
    assertEquals([seen[2 * i], seen[2 * i + 1]], [i + 1, -i - 1]);
  }
  console.log("ok");
});
