// flags: --allow-net
// What no client should send ends its connection, and nothing else.
import http from "node:http";
import { assertEquals } from "../_assert.js";

const server = http.createServer((request, response) => {
  let length = 0;
  request.on("data", (chunk) => length += chunk.length);
  request.on("end", () => response.end(`${request.url} ${length}\n`));
});
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
const { port } = server.address();

async function exchange(text) {
  const conn = await Deno.connect({ hostname: "127.0.0.1", port });
  await conn.write(new TextEncoder().encode(text));
  const answer = await new Response(conn.readable).text();
  return answer;
}

// Two requests in one packet, a body in chunks, and the answers in order.
const answer = await exchange(
  "POST /1 HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n" +
    "3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n" +
    "GET /2 HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n",
);
const bodies = answer.split("\r\n").filter((line) => line.startsWith("/"));
assertEquals(bodies.map((it) => it.split("\n")[0]), ["/1 5", "/2 0"]);

for (
  const [text, status] of [
    ["nonsense\r\n\r\n", 400],
    ["GET / HTTP/1.1\r\nbad header\r\n\r\n", 400],
    ["GET / HTTP/1.1\r\nhost : a\r\n\r\n", 400],
    ["POST / HTTP/1.1\r\ncontent-length: x\r\n\r\n", 400],
    ["POST / HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\na", 400],
    [
      "POST / HTTP/1.1\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
      400,
    ],
    ["POST / HTTP/1.1\r\ntransfer-encoding: gzip\r\n\r\n", 400],
    [`GET / HTTP/1.1\r\nx: ${"y".repeat(20_000)}\r\n\r\n`, 431],
  ]
) {
  const line = (await exchange(text)).split("\r\n")[0];
  assertEquals(line.split(" ")[1], `${status}`, text.slice(0, 60));
}

const response = await fetch(`http://127.0.0.1:${port}/alive`);
assertEquals(await response.text(), "/alive 0\n");
server.close();
console.log("ok");
