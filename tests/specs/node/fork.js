// engine: none, for it fails now and then beside other specs: see the closing note of its issue
// flags: -A
// A process of Node.js that talks to the one that started it.
import { fork } from "node:child_process";
import { once } from "node:events";
import { assertEquals } from "../_assert.js";

const child = fork(new URL("./_child.cjs", import.meta.url).pathname);
child.send("hi");
assertEquals((await once(child, "message"))[0], { echo: "hi" });
assertEquals((await once(child, "exit"))[0], 0);
console.log("ok");
