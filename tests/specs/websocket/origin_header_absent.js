// flags: --allow-net
// Without a location there is no origin to tell.
import { assertEquals, once } from "../_assert.js";
import { header, rawServer, switching, write } from "../_raw.js";

const { url, done } = rawServer(async (conn, reader, head) => {
  await write(conn, await switching(head));
  await reader.close();
  return head;
});
const socket = new WebSocket(url);
await once(socket, "open");
socket.close();
assertEquals(header(await done, "origin"), undefined);
console.log("ok");
