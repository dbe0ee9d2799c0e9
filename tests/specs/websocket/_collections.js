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

await echo(500);
if (typeof gc === "function") gc();
// Long enough to be quiet, with garbage to collect.
for (let i = 0; i < 8; i++) new Uint8Array(1 << 20).fill(1);
await new Promise((resolve) => setTimeout(resolve, 1600));
await echo(500);
console.log("\nfrom here");
await echo(3000);
console.log("\nto here");
socket.close();
await server.stop();
