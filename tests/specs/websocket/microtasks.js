// flags: --allow-net
// deno: dispatches the second message before the first one's later continuations
// Two messages that come in one packet are two tasks: every promise continuation
// of the first handler, however many hops, runs before the second dispatch.
import { assertEquals } from "../_assert.js";
import {
  concat,
  frame,
  rawClient,
  rawWebSocketServer,
  TEXT,
  write,
} from "../_raw.js";
import { serveSockets } from "../_server.js";

const EXPECTED = ["1", "1b", "1c", "1d", "1e", "2", "2b", "2c", "2d", "2e"];

function record(socket) {
  const log = [];
  return new Promise((resolve) => {
    socket.onmessage = async ({ data }) => {
      log.push(data);
      await null;
      log.push(`${data}b`);
      await Promise.resolve().then(() => log.push(`${data}c`));
      await new Promise((resolve) => queueMicrotask(resolve));
      log.push(`${data}d`);
      for (let hop = 0; hop < 100; hop++) await hop;
      log.push(`${data}e`);
      if (data === "2") resolve(log);
    };
  });
}

// The client side.
const { url, done } = rawWebSocketServer(async (conn, reader) => {
  await write(conn, concat(frame(TEXT, "1"), frame(TEXT, "2")));
  await reader.close();
});
const socket = new WebSocket(url);
assertEquals(await record(socket), EXPECTED);
socket.close();
await done;

// The server side.
let recorded;
const server = serveSockets((socket) => recorded = record(socket));
const { conn } = await rawClient(server.port);
await write(
  conn,
  concat(frame(TEXT, "1", { mask: true }), frame(TEXT, "2", { mask: true })),
);
assertEquals(await recorded, EXPECTED);
conn.close();
await server.stop();
console.log("ok");
