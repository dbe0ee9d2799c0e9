// flags: --allow-net --location http://example.org:8080/dir/page?query
// deno: sends no Origin
// A program that has a location tells its origin to the server, and no more of it.
import { assertEquals, once } from "../_assert.js";
import { header, rawServer, switching, write } from "../_raw.js";

async function requested(options) {
  const { url, done } = rawServer(async (conn, reader, head) => {
    await write(conn, await switching(head));
    await reader.close();
    return head;
  });
  const socket = new WebSocket(url, options);
  await once(socket, "open");
  socket.close();
  const head = await done;
  assertEquals(header(head, "referer"), undefined);
  assertEquals(head.match(/^origin:/gim).length, 1);
  return header(head, "origin");
}

assertEquals(await requested(), "http://example.org:8080");
const headers = { "X-Other": "1" };
assertEquals(await requested({ headers }), "http://example.org:8080");
headers.origin = "https://other.example";
assertEquals(await requested({ headers }), "https://other.example");
console.log("ok");
