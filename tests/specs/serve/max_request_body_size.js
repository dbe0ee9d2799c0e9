// flags: --allow-net
// deno: it has no such option
// A body that is longer than the limit gets status 413, whether it announces its length or not,
// and reading it fails.
import { assert, assertEquals } from "../_assert.js";

const seen = [];
const server = Deno.serve(
  {
    hostname: "127.0.0.1",
    port: 0,
    onListen() {},
    maxRequestBodySize: 10,
    onError: (error) => {
      seen.push(`${error}`);
      return new Response("too late", { status: 500 });
    },
  },
  async (request) => {
    const { length } = await request.text();
    seen.push(length);
    return new Response(`${length}`);
  },
);
const { port } = server.addr;

/** The head of the answer to a request, sent as it is. */
async function ask(head, body) {
  const conn = await Deno.connect({ hostname: "127.0.0.1", port });
  const text = `${head}\r\nHost: localhost\r\n`;
  await conn.write(new TextEncoder().encode(text + body));
  let answer = "";
  const decoder = new TextDecoder();
  const buffer = new Uint8Array(4096);
  while (!answer.includes("\r\n\r\n")) {
    const count = await conn.read(buffer);
    if (count === null) break;
    answer += decoder.decode(buffer.subarray(0, count));
  }
  conn.close();
  return answer;
}

const chunked = (text) =>
  `Transfer-Encoding: chunked\r\n\r\n${
    text.length.toString(16)
  }\r\n${text}\r\n0\r\n\r\n`;
const plain = (text) => `Content-Length: ${text.length}\r\n\r\n${text}`;
for (const form of [plain, chunked]) {
  const taken = await ask("POST / HTTP/1.1", form("0123456789"));
  assert(taken.startsWith("HTTP/1.1 200 "), taken);
  const refused = await ask("POST / HTTP/1.1", form("0123456789a"));
  assert(refused.startsWith("HTTP/1.1 413 "), refused);
  assert(refused.toLowerCase().includes("connection: close"), refused);
}
// What announces its length does not reach the handler.
assertEquals(seen.length, 3);
assertEquals(seen[0], 10);
assertEquals(seen[1], 10);
assert(
  `${seen[2]}`.includes(
    "The body is longer than maxRequestBodySize (10 bytes)",
  ),
  seen[2],
);
// Others are served on.
const response = await fetch(`http://127.0.0.1:${port}/`, {
  method: "POST",
  body: "five!",
});
assertEquals(await response.text(), "5");
await server.shutdown();

for (const size of [0, -1, 1.5, "10", Infinity]) {
  let message;
  try {
    Deno.serve({ port: 0, maxRequestBodySize: size }, () => new Response());
  } catch (error) {
    message = error.message;
  }
  assertEquals(
    message,
    "maxRequestBodySize must be an integer number of bytes from 1",
  );
}
console.log("ok");
