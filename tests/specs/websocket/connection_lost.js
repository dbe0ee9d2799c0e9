// flags: --allow-net
// deno: gives the close event code 0 instead of 1006
// The peer is gone without a close frame: close 1006, not clean, on both sides.
import { assertEquals, once } from "../_assert.js";
import { rawClient, rawWebSocketServer } from "../_raw.js";
import { serveSockets } from "../_server.js";

const { url, done } = rawWebSocketServer(() => {});
const socket = new WebSocket(url);
const lost = await once(socket, "close");
assertEquals([lost.code, lost.wasClean], [1006, false]);
await done;

const arrived = Promise.withResolvers();
const server = serveSockets((socket) => arrived.resolve(once(socket, "close")));
const { conn } = await rawClient(server.port);
const closed = arrived.promise;
conn.close();
const { code, wasClean } = await closed;
assertEquals([code, wasClean], [1006, false]);
await server.stop();
console.log("ok");
