// flags: --allow-net
// A ping is answered by a pong with the same payload, between messages too, and
// no event is seen.
import { assertEquals, once } from "../_assert.js";
import {
  frame,
  PING,
  PONG,
  rawClient,
  rawWebSocketServer,
  TEXT,
  write,
} from "../_raw.js";
import { serveEcho } from "../_server.js";

async function exchange(conn, reader, mask) {
  for (const payload of ["", "are you there?", "x".repeat(125)]) {
    await write(conn, frame(PING, payload, { mask }));
    const pong = await reader.frame();
    assertEquals(pong.opcode, PONG);
    assertEquals(new TextDecoder().decode(pong.payload), payload);
  }
  // A ping may stand between the fragments of a message.
  await write(conn, frame(TEXT, "frag", { fin: false, mask }));
  await write(conn, frame(PING, "between", { mask }));
  assertEquals((await reader.frame()).opcode, PONG);
  await write(conn, frame(0, "ment", { fin: false, mask }));
  await write(conn, frame(0, "", { mask }));
  // A pong that nobody asked for is ignored.
  await write(conn, frame(PONG, "unasked", { mask }));
}

const { url, done } = rawWebSocketServer(async (conn, reader) => {
  await exchange(conn, reader, false);
  await reader.close();
});
const socket = new WebSocket(url);
assertEquals((await once(socket, "message")).data, "fragment");
socket.close();
await done;

const server = serveEcho();
const { conn, reader } = await rawClient(server.port);
await exchange(conn, reader, true);
const echoed = await reader.frame();
assertEquals(new TextDecoder().decode(echoed.payload), "fragment");
conn.close();
await server.stop();
console.log("ok");
