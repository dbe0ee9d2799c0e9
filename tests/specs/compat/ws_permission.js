// deno: needs npm packages there
// Nothing without --allow-net.
import { once } from "node:events";
import WebSocket, { WebSocketServer } from "ws";
import { assertEquals } from "../_assert.js";

const wss = new WebSocketServer({ port: 8080 });
let [error] = await once(wss, "error").catch((error) => [error]);
assertEquals(error.name, "NotCapable");
const socket = new WebSocket("ws://127.0.0.1:8080");
[error] = await once(socket, "error").catch((error) => [error]);
assertEquals(error.name, "NotCapable");
console.log("ok");
