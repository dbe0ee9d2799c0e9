// engine: v8
// As every interface, WebSocket is a plain property of the global object, before
// anybody has touched it. On QuickJS it loads when it is first read.
import { assertEquals } from "../_assert.js";

const { value, writable, enumerable, configurable } = Object
  .getOwnPropertyDescriptor(globalThis, "WebSocket");
assertEquals(typeof value, "function");
assertEquals([writable, enumerable, configurable], [true, false, true]);
console.log("ok");
