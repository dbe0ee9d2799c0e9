// flags: --allow-net
// deno: gives the close event code 0 instead of 1006
// A peer that does not answer the server's ping is given up.
import { assertEquals, once } from "../_assert.js";
import { PING, rawClient } from "../_raw.js";
import { serveSockets } from "../_server.js";

const arrived = Promise.withResolvers();
const server = serveSockets((socket) => {
  const log = [];
  socket.onerror = () => log.push("error");
  arrived.resolve(once(socket, "close").then(({ code }) => [...log, code]));
}, { idleTimeout: 1 });
const { conn, reader } = await rawClient(server.port);
assertEquals((await reader.frame()).opcode, PING);
assertEquals(await arrived.promise, ["error", 1006]);
conn.close();
await server.stop();
console.log("ok");
