// flags: --allow-net
// What the client asks with, as RFC 6455 section 4.1 lists it.
import { assert, assertEquals, once } from "../_assert.js";
import { header, rawServer, switching, write } from "../_raw.js";

const keys = new Set();
for (let round = 0; round < 3; round++) {
  const { url, done } = rawServer(async (conn, reader, head) => {
    await write(conn, await switching(head));
    await reader.close();
    return head;
  });
  const socket = new WebSocket(`${url}path?query=1`);
  await once(socket, "open");
  socket.close();
  const head = await done;
  assertEquals(head.split("\r\n")[0], "GET /path?query=1 HTTP/1.1");
  assertEquals(header(head, "host"), new URL(url).host);
  assertEquals(header(head, "upgrade").toLowerCase(), "websocket");
  assertEquals(header(head, "connection").toLowerCase(), "upgrade");
  assertEquals(header(head, "sec-websocket-version"), "13");
  assertEquals(header(head, "sec-websocket-protocol"), undefined);
  const key = header(head, "sec-websocket-key");
  assertEquals(atob(key).length, 16);
  keys.add(key);
}
assert(keys.size === 3, "a fresh key each time");
console.log("ok");
