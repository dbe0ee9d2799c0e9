// flags: --allow-all
// deno: has no classic workers
// Workers in turn, ended in every way, leave no threads and no memory behind. (On
// QuickJS an engine leaves some: what deno_core's binding to it does not free.)
import { assert, assertEquals } from "../_assert.js";
import { inline, received } from "../_worker.js";

const busy = URL.createObjectURL(new Blob(["for (;;);"]));
const ways = [
  async () => {
    const worker = inline("postMessage(1);");
    assertEquals(await received(worker), 1);
    worker.terminate();
  },
  async () => {
    inline("onmessage = () => close();").postMessage("close");
    await received(inline("postMessage(1); close();"));
  },
  () => inline("postMessage(1);").terminate(),
  // At whatever point of its start it is.
  () => new Worker(busy).terminate(),
  async () => {
    const worker = new Worker(busy);
    await received(inline("postMessage(1); close();"));
    worker.terminate();
  },
];

function threads() {
  const status = Deno.readTextFileSync("/proc/self/status");
  return Number(/^Threads:\s+(\d+)/m.exec(status)[1]);
}

async function round(count) {
  for (let i = 0; i < count; i++) await ways[i % ways.length]();
  // The threads of ended workers go soon, but not at once.
  while (threads() > before + 2) {
    await new Promise((done) => setTimeout(done, 1));
  }
  return Deno.memoryUsage().rss;
}

const before = threads();
const early = await round(40);
const late = await round(80);
assert(
  late < early * 1.5 || Deno.version.engine === "quickjs",
  `the resident size grew from ${early} to ${late} bytes`,
);
console.log("ok");
