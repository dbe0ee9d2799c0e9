// deno: the constants are not on the prototype, CloseEvent has another shape
// The interfaces WebSocket and CloseEvent as Web IDL has them.
import { assert, assertEquals, assertThrows } from "../_assert.js";

const prototype = WebSocket.prototype;
const describe = (object, key) => Object.getOwnPropertyDescriptor(object, key);

assertEquals(WebSocket.name, "WebSocket");
assertEquals(WebSocket.length, 1);
assertEquals(Object.getPrototypeOf(WebSocket), EventTarget);
assertEquals(Object.getPrototypeOf(prototype), EventTarget.prototype);
assertEquals(describe(WebSocket, "prototype").writable, false);
assertEquals(prototype.constructor, WebSocket);
assertEquals(describe(prototype, Symbol.toStringTag), {
  value: "WebSocket",
  writable: false,
  enumerable: false,
  configurable: true,
});

const constants = { CONNECTING: 0, OPEN: 1, CLOSING: 2, CLOSED: 3 };
for (const [name, value] of Object.entries(constants)) {
  for (const object of [WebSocket, prototype]) {
    assertEquals(describe(object, name), {
      value,
      writable: false,
      enumerable: true,
      configurable: false,
    }, name);
    // Neither assignment nor deletion does anything.
    assertThrows(() => object[name] = 9, "TypeError");
    assertThrows(() => delete object[name], "TypeError");
  }
  // A constant needs no socket to be read.
  assertEquals(Object.create(prototype)[name], value);
}

const readOnly = [
  "url",
  "readyState",
  "bufferedAmount",
  "extensions",
  "protocol",
];
const writable = ["onopen", "onerror", "onclose", "onmessage", "binaryType"];
for (const name of [...readOnly, ...writable]) {
  const { get, set, enumerable, configurable } = describe(prototype, name);
  assert(enumerable && configurable, name);
  assertEquals([get.name, get.length], [`get ${name}`, 0]);
  assertThrows(() => get.call({}), "TypeError");
  assertThrows(() => get.call(prototype), "TypeError");
  assertThrows(() => get.call(new EventTarget()), "TypeError");
  if (readOnly.includes(name)) {
    assertEquals(set, undefined, name);
  } else {
    assertEquals([set.name, set.length], [`set ${name}`, 1]);
    assertThrows(() => set.call({}, null), "TypeError");
  }
}
for (const [name, length] of [["close", 0], ["send", 1]]) {
  const { value, writable, enumerable, configurable } = describe(
    prototype,
    name,
  );
  assert(writable && enumerable && configurable, name);
  assertEquals([value.name, value.length], [name, length]);
  assertThrows(() => value.call({}, "x"), "TypeError");
}

const closeEvent = new CloseEvent("close");
assertEquals(CloseEvent.length, 1);
assertEquals(Object.getPrototypeOf(CloseEvent), Event);
assertEquals(`${closeEvent}`, "[object CloseEvent]");
assertEquals(Object.hasOwn(closeEvent, Symbol.toStringTag), false);
assertEquals([closeEvent.wasClean, closeEvent.code, closeEvent.reason], [
  false,
  0,
  "",
]);
for (const name of ["wasClean", "code", "reason"]) {
  const { get, set, enumerable, configurable } = describe(
    CloseEvent.prototype,
    name,
  );
  assert(enumerable && configurable, name);
  assertEquals(set, undefined, name);
  assertThrows(() => get.call({}), "TypeError");
}
assertThrows(() => new CloseEvent(), "TypeError");
assertThrows(() => new CloseEvent("close", 1), "TypeError");
const init = { code: "65537", reason: "\ud800", wasClean: 1, bubbles: 1 };
const converted = new CloseEvent("close", init);
assertEquals(
  [converted.code, converted.reason, converted.wasClean, converted.bubbles],
  [1, "\ufffd", true, true],
);
const shown = Deno.inspect(new CloseEvent("close", { code: 1000 }));
assert(shown.startsWith("CloseEvent {") && shown.includes("code: 1000"), shown);
console.log("ok");
