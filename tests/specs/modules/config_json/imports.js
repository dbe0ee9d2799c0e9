// `imports` of a deno.json beside the script.
import { answer } from "answer";

if (answer !== 43) throw new Error("wrong module");
console.log("ok");
