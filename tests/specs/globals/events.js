// Events, MessageEvent and CloseEvent made by hand.
import { assertEquals } from "../_assert.js";

const close = new CloseEvent("close", {
  wasClean: true,
  code: 4000,
  reason: "why",
});
assertEquals([close.wasClean, close.code, close.reason], [true, 4000, "why"]);
const plain = new CloseEvent("close");
assertEquals([plain.wasClean, plain.code, plain.reason], [false, 0, ""]);
const message = new MessageEvent("message", { data: { a: 1 }, origin: "o" });
assertEquals([message.data, message.origin], [{ a: 1 }, "o"]);

const target = new EventTarget();
const log = [];
target.addEventListener("x", () => log.push("once"), { once: true });
target.addEventListener("x", { handleEvent: () => log.push("object") });
const controller = new AbortController();
target.addEventListener("x", () => log.push("signal"), controller);
target.dispatchEvent(new CustomEvent("x", { detail: 1 }));
controller.abort();
target.dispatchEvent(new Event("x"));
assertEquals(log, ["once", "object", "signal", "object"]);
console.log("ok");
