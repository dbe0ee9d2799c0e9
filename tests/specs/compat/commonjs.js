// flags: --allow-net --allow-read
// deno: needs npm packages there
// A CommonJS module with `ws`, JSON and a module beside it.
import chat from "./_chat.cjs";
import { assertEquals, assertThrows, once } from "../_assert.js";
import { createRequire } from "node:module";

const { server, path } = chat;
assertEquals(path.endsWith("/compat/_chat.cjs"), true);
assertEquals(globalThis.undeclared, "sloppy");
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
const socket = new WebSocket(`ws://127.0.0.1:${server.address().port}`);
assertEquals((await once(socket, "message")).data, "welcome to chat");
socket.send("hi");
assertEquals((await once(socket, "message")).data, "got: hi");
socket.close();
await once(socket, "close");
server.close();

const require = createRequire(import.meta.url);
assertEquals(require("./_helper.cjs").early, "undefined");
assertEquals(require("./_chat.cjs"), chat);
const error = assertThrows(() => require("express"), "Error");
assertEquals(error.code, "MODULE_NOT_FOUND");
assertEquals(error.message.includes('"ws"'), true);
console.log("ok");
