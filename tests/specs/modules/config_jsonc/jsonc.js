// flags: --allow-read
// `imports` of a deno.jsonc beside the script.
import { answer } from "answer";
import { answer as same } from "@lib/answer.ts";

if (answer !== 43 || same !== 43) throw new Error("wrong module");
console.log("ok");
