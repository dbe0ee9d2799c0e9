// flags: --allow-net
// stderr: Warning The header "host" of a WebSocket is not sent. Pass a client that may: client: Deno.createHttpClient({ allowHost: true })
// stderr: Warning The header "upgrade" of a WebSocket is not sent: the opening handshake sets it itself
// deno: says nothing of headers that it leaves out
// The Host header is the script's where its client says so. What is not sent is told.
import { assertEquals, once } from "../_assert.js";
import { header, rawServer, switching, write } from "../_raw.js";

async function head(options) {
  const { url, done } = rawServer(async (conn, reader, head) => {
    await write(conn, await switching(head));
    await reader.close();
    return head;
  });
  const socket = new WebSocket(url, options);
  await once(socket, "open");
  socket.close();
  return { head: await done, host: new URL(url).host };
}

const client = Deno.createHttpClient({ allowHost: true });
const own = await head({ client, headers: { host: "example.org:99" } });
assertEquals(header(own.head, "host"), "example.org:99");
assertEquals(own.head.match(/^host:/gim).length, 1);
const none = await head({ client });
assertEquals(header(none.head, "host"), none.host);
const headers = { host: "example.org", upgrade: "other", cookie: "a=b" };
const other = await head({ headers });
assertEquals(header(other.head, "host"), other.host);
assertEquals(header(other.head, "cookie"), "a=b");
client.close();
console.log("ok");
