// flags: --allow-run=sh --allow-env
// Programs run with --allow-run, by Node.js's interface and by Deno's.
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { assertEquals, assertRejects } from "../_assert.js";

assertEquals(`${execFileSync("sh", ["-c", "echo a"])}`, "a\n");
const child = spawn("sh", ["-c", "read line; echo got $line; exit 4"]);
child.stdin.end("text\n");
let output = "";
child.stdout.on("data", (chunk) => output += chunk);
assertEquals((await once(child, "close"))[0], 4);
assertEquals(output, "got text\n");

const { stdout, code } = await new Deno.Command("sh", {
  args: ["-c", "echo b"],
}).output();
assertEquals([new TextDecoder().decode(stdout), code], ["b\n", 0]);
await assertRejects(
  (async () => await new Deno.Command("cat").output())(),
  "NotCapable",
  "--allow-run",
);
console.log("ok");
