// flags: --allow-net
// A peer that does not answer the ping is told so and given up.
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
assertEquals(await arrived.promise, ["error", 1001]);
conn.close();
await server.stop();
console.log("ok");
