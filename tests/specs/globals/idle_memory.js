// deno: keeps what nobody refers to while nothing is allocated
// What a busy time has left is given back when it is over, though the program does
// something now and then.
const MIB = 2 ** 20;

function work() {
  const buffers = [];
  for (let i = 0; i < 64; i++) buffers.push(new Uint8Array(MIB).fill(1));
  return Deno.memoryUsage().rss;
}

const busy = work();
await new Promise((resolve) => {
  const timer = setInterval(() => {
    if (Deno.memoryUsage().rss > busy - 56 * MIB) return;
    clearInterval(timer);
    resolve();
  }, 50);
});
console.log("ok");
