// flags: --allow-net
// Bytes that are no HTTP close that connection and leave the others alone.
import { assertEquals } from "../_assert.js";
import { Reader, write } from "../_raw.js";

let calls = 0;
const server = Deno.serve(
  { hostname: "127.0.0.1", port: 0, onListen() {} },
  () => new Response(`call ${++calls}`),
);
const { port } = server.addr;
for (
  const bytes of [
    "\r\n\r\n\r\nnonsense\r\n\r\n",
    "GET / HTTP/9.9\r\n\r\n",
    "GET / HTTP/1.1\r\nbad header\r\n\r\n",
    `GET / HTTP/1.1\r\nHost: x\r\nLong: ${"x".repeat(1_000_000)}\r\n\r\n`,
  ]
) {
  const conn = await Deno.connect({ hostname: "127.0.0.1", port });
  try {
    await write(conn, bytes);
    const head = await new Reader(conn).head();
    if (head !== null) assertEquals(/^HTTP\/1\.\d 4\d\d /.test(head), true);
  } catch (error) {
    // The server may close before it has read everything.
    const gone = ["ConnectionReset", "BrokenPipe"].includes(error.name);
    if (!gone) throw error;
  }
  conn.close();
}
const response = await fetch(`http://127.0.0.1:${port}/`);
assertEquals(await response.text(), "call 1");
await server.shutdown();
console.log("ok");
