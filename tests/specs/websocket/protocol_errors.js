// flags: --allow-net
// deno: it closes with other codes, or without one
// A peer that breaks RFC 6455: the connection is failed with the code that the
// RFC names, and both sides of duplex report 1006.
import { assertEquals, once } from "../_assert.js";
import {
  closePayload,
  concat,
  frame,
  PING,
  rawClient,
  rawWebSocketServer,
  TEXT,
  write,
} from "../_raw.js";
import { serveSockets } from "../_server.js";

const BAD_UTF8 = [0x68, 0xff, 0x69];
const cases = {
  "reserved opcode 3": [(mask) => frame(3, "", { mask }), 1002],
  "reserved opcode 11": [(mask) => frame(11, "", { mask }), 1002],
  "RSV1": [(mask) => frame(0, "x", { first: 0xc1, mask }), 1002],
  "RSV2": [(mask) => frame(0, "x", { first: 0xa1, mask }), 1002],
  "RSV3": [(mask) => frame(0, "x", { first: 0x91, mask }), 1002],
  "masked the wrong way": [(mask) => frame(TEXT, "x", { mask: !mask }), 1002],
  "fragmented ping": [(mask) => frame(PING, "", { fin: false, mask }), 1002],
  "long ping": [(mask) => frame(PING, "x".repeat(126), { mask }), 1002],
  "continuation of nothing": [(mask) => frame(0, "x", { mask }), 1002],
  "message within a message": [
    (mask) =>
      concat(
        frame(TEXT, "a", { fin: false, mask }),
        frame(TEXT, "b", { mask }),
      ),
    1002,
  ],
  "text that is no UTF-8": [(mask) => frame(TEXT, BAD_UTF8, { mask }), 1007],
  "close of one byte": [(mask) => frame(8, [3], { mask }), 1002],
  "close code 1005": [(mask) => frame(8, closePayload(1005), { mask }), 1002],
  "close code 999": [(mask) => frame(8, closePayload(999), { mask }), 1002],
  "close reason no UTF-8": [
    (mask) => frame(8, concat(closePayload(1000), BAD_UTF8), { mask }),
    1007,
  ],
};

for (const [name, [bytes, expected]] of Object.entries(cases)) {
  const { url, done } = rawWebSocketServer(async (conn, reader) => {
    await write(conn, bytes(false));
    return (await reader.close())?.[0];
  });
  const socket = new WebSocket(url);
  const log = [];
  socket.onmessage = () => log.push("message");
  socket.onerror = () => log.push("error");
  const { code, wasClean } = await once(socket, "close");
  assertEquals([code, wasClean], [1006, false], `client: ${name}`);
  assertEquals(log, ["error"], `client: ${name}`);
  assertEquals(await done, expected, `client: ${name}`);
}

let arrived;
const server = serveSockets((socket) => arrived.resolve(socket));
for (const [name, [bytes, expected]] of Object.entries(cases)) {
  arrived = Promise.withResolvers();
  const { conn, reader } = await rawClient(server.port);
  const socket = await arrived.promise;
  const log = [];
  socket.onmessage = () => log.push("message");
  socket.onerror = () => log.push("error");
  const closed = once(socket, "close");
  await write(conn, bytes(true));
  assertEquals((await reader.close())?.[0], expected, `server: ${name}`);
  conn.close();
  const { code, wasClean } = await closed;
  assertEquals([code, wasClean], [1006, false], `server: ${name}`);
  assertEquals(log, ["error"], `server: ${name}`);
}
await server.stop();
console.log("ok");
