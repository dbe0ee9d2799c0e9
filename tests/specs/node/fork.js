// engine: v8
// flags: -A
// A process of Node.js that talks to the one that started it.
import { fork } from "node:child_process";
import { once } from "node:events";
import { assertEquals } from "../_assert.js";

const child = fork(new URL("./_child.cjs", import.meta.url).pathname);
// Both may come in one turn of the event loop.
const [message, exit] = [once(child, "message"), once(child, "exit")];
child.send("hi");
assertEquals((await message)[0], { echo: "hi" });
assertEquals((await exit)[0], 0);
console.log("ok");
