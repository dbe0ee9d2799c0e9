// Long messages before and after V8 has collected all of its heap, and given memory back:
// tests/cli.rs counts what it collects for them.
import { once } from "../_assert.js";
import { serveEcho } from "../_server.js";

const server = serveEcho();
const socket = new WebSocket(server.url);
socket.binaryType = "arraybuffer";
await once(socket, "open");

function echo(count) {
  return new Promise((resolve) => {
    socket.onmessage = ({ data }) => {
      if (--count === 0) resolve();
      else socket.send(data);
    };
    socket.send(new Uint8Array(16 << 10));
  });
}

/** Leaves garbage, and calls `resolve` when it is gone: V8 has collected all of its heap. */
function givenBack(resolve) {
  let buffers = [];
  for (let i = 0; i < 64; i++) buffers.push(new Uint8Array(1 << 20).fill(1));
  const { rss: busy } = Deno.memoryUsage();
  buffers = null;
  const timer = setInterval(() => {
    if (Deno.memoryUsage().rss > busy - (32 << 20)) return;
    clearInterval(timer);
    resolve();
  }, 50);
}

await echo(500);
if (typeof gc === "function") gc();
else await new Promise(givenBack);
await echo(500);
console.log("\nfrom here");
await echo(3000);
console.log("\nto here");
socket.close();
await server.stop();
