// deno: WebSocketStream needs --unstable-net
// stdout: WebSocketError: told
// The class WebSocketError: a DOMException with a code and a reason that may be sent.
import { assertEquals, assertThrows } from "../_assert.js";

const fields = (error) => [
  error.name,
  error.message,
  error.code,
  error.closeCode,
  error.reason,
];
const none = ["WebSocketError", "", 0, null, ""];
assertEquals(fields(new WebSocketError()), none);
assertEquals(fields(new WebSocketError(undefined, undefined)), none);
assertEquals(fields(new WebSocketError("", null)), none);
assertEquals(fields(new WebSocketError(5, {})), [
  "WebSocketError",
  "5",
  0,
  null,
  "",
]);
const pair = (init) => fields(new WebSocketError("", init)).slice(3);
assertEquals(pair({ closeCode: 1000 }), [1000, ""]);
assertEquals(pair({ closeCode: "3000" }), [3000, ""]);
assertEquals(pair({ closeCode: 4999.9, reason: "why" }), [4999, "why"]);
assertEquals(pair({ reason: "why" }), [1000, "why"]);
assertEquals(pair({ closeCode: undefined, reason: undefined }), [null, ""]);
assertEquals(pair({ reason: "\ud800" }), [1000, "\ufffd"]);
assertEquals(pair({ reason: "x".repeat(123) })[1].length, 123);

for (
  const closeCode of [
    0,
    1,
    999,
    1001,
    1005,
    1006,
    1011,
    2999,
    5000,
    65535,
    null,
  ]
) {
  const error = assertThrows(
    () => new WebSocketError("", { closeCode }),
    "InvalidAccessError",
  );
  assertEquals(error instanceof DOMException, true);
}
for (const closeCode of [-1, 65536, NaN, Infinity, "x", Symbol(), 1000n]) {
  assertThrows(() => new WebSocketError("", { closeCode }), "TypeError");
}
for (const reason of ["x".repeat(124), "€".repeat(42)]) {
  assertThrows(() => new WebSocketError("", { reason }), "SyntaxError");
}
assertThrows(() => new WebSocketError("", 5), "TypeError");
assertThrows(() => new WebSocketError(Symbol()), "TypeError");
assertThrows(() => WebSocketError(), "TypeError");

const error = new WebSocketError("told");
assertEquals(error instanceof WebSocketError, true);
assertEquals(error instanceof DOMException, true);
assertEquals(error instanceof Error, true);
assertEquals(Object.prototype.toString.call(error), "[object WebSocketError]");
assertEquals(typeof error.stack, "string");
assertThrows(
  () => {
    "use strict";
    error.closeCode = 5;
  },
  "TypeError",
);
console.log(String(error));
