// The listeners of `process` hear of what nobody caught, as in Node.js.
import process from "node:process";
import { assertEquals } from "../_assert.js";

const seen = [];
process.on("uncaughtException", (error, origin) => {
  seen.push(`${error.message} ${origin}`);
});
process.on("unhandledRejection", (reason) => seen.push(`rejected ${reason}`));
process.on("beforeExit", () => seen.push("beforeExit"));
process.on("exit", (code) => {
  assertEquals(seen, [
    "thrown uncaughtException",
    "rejected reason",
    "beforeExit",
  ]);
  console.log(code === 0 ? "ok" : code);
});
setTimeout(() => {
  throw new Error("thrown");
});
setTimeout(() => Promise.reject("reason"), 1);
