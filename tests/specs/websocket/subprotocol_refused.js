// flags: --allow-net
// deno: gives the close event code 0 instead of 1006
// A server that picks a subprotocol of its own, or one in another case, fails the
// connection.
import { assertEquals, once } from "../_assert.js";
import { rawServer, switching, write } from "../_raw.js";

for (const offered of [["chat.v1"], [], ["OTHER"], ["Other", "chat.v1"]]) {
  const { url, done } = rawServer(async (conn, _reader, head) => {
    const picked = "Sec-WebSocket-Protocol: other\r\n";
    await write(conn, await switching(head, picked));
    await conn.read(new Uint8Array(1)).catch(() => null);
  });
  const socket = new WebSocket(url, offered);
  socket.onopen = () => {
    throw new Error("must not open");
  };
  assertEquals((await once(socket, "close")).code, 1006);
  assertEquals(socket.protocol, "");
  await done;
}
console.log("ok");
