// stderr: error: Uncaught (in worker "") Requires read access to "[*]echo.js", run again with the --allow-read flag
// stdout: ok
// The file of a worker takes the permission to read it, as import() does.
import { assert } from "../_assert.js";
import { failed } from "../_worker.js";

const url = new URL("./_lib/echo.js", import.meta.url);
const { message } = await failed(new Worker(url, { type: "module" }));
assert(message.includes("--allow-read"), message);
console.log("ok");
