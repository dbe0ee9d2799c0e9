// flags: --allow-net
// deno: needs npm packages there
// What breaks the protocol or a limit ends that connection with ws's own errors.
import { once as onceEvent } from "node:events";
import { WebSocketServer } from "ws";
import { assertEquals, once } from "../_assert.js";

const wss = new WebSocketServer({ host: "127.0.0.1", port: 0, maxPayload: 10 });
await onceEvent(wss, "listening");
const connections = onceEvent(wss, "connection");
const socket = new WebSocket(`ws://127.0.0.1:${wss.address().port}`);
const [peer] = await connections;
const failure = new Promise((resolve) => peer.on("error", resolve));
await once(socket, "open");
socket.send("more than ten bytes");
const error = await failure;
assertEquals(error.code, "WS_ERR_UNSUPPORTED_MESSAGE_LENGTH");
assertEquals(error.message, "Max payload size exceeded");
assertEquals((await once(socket, "close")).code, 1009);
wss.close();
console.log("ok");
