// engine: v8
// flags: --allow-net --v8-flags=--expose-gc,--max-semi-space-size=1
// Sockets that were opened and dropped leave nothing behind, on either end and
// however they ended. `make leak` runs this with 100,000 of them. V8 lets the space
// for young objects grow to 48 MiB, which would hide what matters, hence the flag.
import { assert, once } from "../_assert.js";
import { serveSockets } from "../_server.js";

const COUNT = Number(Deno.args[0] ?? 3000);
const WARM_UP = 1000;
const MIB = 2 ** 20;
// A tenth of what one socket with its events takes, and what a heap may differ by.
const HEAP_SLACK = 128 * (COUNT - WARM_UP) + MIB;
const RSS_SLACK = 24 * MIB;

const server = serveSockets((socket) => {
  socket.onmessage = ({ data }) => {
    if (data === "close") socket.close(3000, "as asked");
    else socket.send(data);
  };
}, { perMessageDeflate: true });
const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
const nowhere = `ws://127.0.0.1:${listener.addr.port}/`;
listener.close();

const ways = [
  async function theClientCloses() {
    const socket = await opened();
    socket.send("x".repeat(1000));
    await once(socket, "message");
    socket.close();
    await once(socket, "close");
  },
  async function theServerCloses() {
    const socket = await opened();
    socket.send("close");
    await once(socket, "close");
  },
  async function sentInVain() {
    const socket = await opened();
    socket.send(new Blob(["close"]));
    socket.close();
    socket.send(new Uint8Array(1000));
    await once(socket, "close");
  },
  async function refused() {
    await once(new WebSocket(nowhere), "close");
  },
  async function givenUp() {
    const socket = new WebSocket(server.url);
    socket.close();
    await once(socket, "close");
  },
];

async function opened() {
  const socket = new WebSocket(server.url);
  socket.onerror = ({ message }) => {
    throw new Error(message);
  };
  await once(socket, "open");
  return socket;
}

async function measure() {
  for (let i = 0; i < 4; i++) {
    globalThis.gc();
    await new Promise((resolve) => setTimeout(resolve));
  }
  const { heapUsed, external, rss } = Deno.memoryUsage();
  return { heap: heapUsed + external, rss };
}

let before;
for (let i = 0; i < COUNT; i++) {
  if (i === WARM_UP) before = await measure();
  await ways[i % ways.length]();
  if (Deno.args.length > 0 && (i + 1) % (COUNT / 10) === 0) {
    const { heap, rss } = await measure();
    const [h, r] = [heap, rss].map((bytes) => (bytes / MIB).toFixed(1));
    console.log(`${i + 1} sockets: heap ${h} MiB, resident ${r} MiB`);
  }
}
const after = await measure();
await server.stop();
const grown =
  `heap ${before.heap} -> ${after.heap}, resident ${before.rss} -> ${after.rss}`;
assert(after.heap - before.heap < HEAP_SLACK, grown);
assert(after.rss - before.rss < RSS_SLACK, grown);
console.log("ok");
