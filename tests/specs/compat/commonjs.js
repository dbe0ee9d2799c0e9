// flags: --allow-net --allow-read
// A CommonJS module with JSON and modules beside it, in a cycle.
import chat, { path } from "./_chat.cjs";
import { assertEquals, assertThrows } from "../_assert.js";
import { createRequire } from "node:module";

const { server } = chat;
assertEquals(path.endsWith("/compat/_chat.cjs"), true);
assertEquals(chat.isMain, false);
assertEquals(globalThis.undeclared, "sloppy");
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
const response = await fetch(`http://127.0.0.1:${server.address().port}`);
assertEquals(await response.text(), "welcome to chat");
server.close();

const require = createRequire(import.meta.url);
assertEquals(require("./_helper.cjs").early, 0);
assertEquals(require("./_chat.cjs") === chat, true);
const error = assertThrows(() => require("express"), "Error");
assertEquals(error.code, "MODULE_NOT_FOUND");
console.log("ok");
