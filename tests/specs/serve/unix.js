// flags: --allow-read --allow-write --allow-net --allow-env=TMPDIR
// A server on a unix socket, for HTTP and for WebSockets.
import { assert, assertEquals, once } from "../_assert.js";
import { frame, Reader, TEXT, upgradeRequest, write } from "../_raw.js";

const folder = Deno.env.get("TMPDIR") ?? "/tmp";
const path = `${folder}/duplex-${crypto.randomUUID()}.sock`;
const closed = Promise.withResolvers();
const server = Deno.serve({
  path,
  onListen: (address) => assertEquals(address.path, path),
}, (request, info) => {
  assertEquals(info.remoteAddr.transport, "unix");
  if (request.headers.get("upgrade") !== "websocket") {
    return new Response("over a file");
  }
  const { socket, response } = Deno.upgradeWebSocket(request);
  socket.onmessage = ({ data }) => socket.send(`got ${data}`);
  closed.resolve(once(socket, "close"));
  return response;
});
assertEquals(server.addr, { transport: "unix", path });

const conn = await Deno.connect({ transport: "unix", path });
const reader = new Reader(conn);
await write(conn, "GET / HTTP/1.1\r\nHost: file\r\n\r\n");
assert((await reader.head()).startsWith("HTTP/1.1 200 "));
assertEquals(new TextDecoder().decode(await reader.bytes(11)), "over a file");

await write(conn, upgradeRequest());
assert((await reader.head()).startsWith("HTTP/1.1 101 "));
await write(conn, frame(TEXT, "hello", { mask: true }));
const { payload } = await reader.frame();
assertEquals(new TextDecoder().decode(payload), "got hello");
conn.close();
await closed.promise;
await server.shutdown();
console.log("ok");
