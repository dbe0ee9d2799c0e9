// Every global and every member of Deno that scripts are promised.
import { assertEquals } from "../_assert.js";

const classes = `AbortController AbortSignal Blob BroadcastChannel
  ByteLengthQueuingStrategy CloseEvent CompressionStream CountQueuingStrategy
  Crypto CryptoKey CustomEvent DOMException DecompressionStream ErrorEvent Event
  EventTarget File FileReader FormData Headers MessageChannel MessageEvent
  MessagePort Performance PerformanceEntry PerformanceMark PerformanceMeasure
  ProgressEvent PromiseRejectionEvent ReadableStream
  ReadableStreamDefaultReader Request Response SubtleCrypto TextDecoder
  TextDecoderStream TextEncoder TextEncoderStream TransformStream URL URLPattern
  URLSearchParams WebSocket Worker WritableStream WritableStreamDefaultWriter`;
const functions = `addEventListener atob btoa clearInterval clearTimeout
  dispatchEvent fetch queueMicrotask removeEventListener reportError setInterval
  setTimeout structuredClone`;
const objects = "console crypto globalThis performance self Deno";
const ofDeno = `serve upgradeWebSocket listen connect open readFile readTextFile
  writeTextFile stat exit addSignalListener removeSignalListener cwd memoryUsage
  createHttpClient resolveDns inspect`;
const objectsOfDeno = "env args permissions errors version build";
const errorsOfDeno = `AddrInUse AddrNotAvailable AlreadyExists BadResource
  BrokenPipe ConnectionAborted ConnectionRefused ConnectionReset Http Interrupted
  InvalidData NotCapable NotConnected NotFound PermissionDenied TimedOut
  UnexpectedEof WriteZero`;

const words = (text) => text.split(/\s+/);
const missing = [];
const check = (text, holder, type, prefix = "") => {
  for (const name of words(text)) {
    // deno-lint-ignore valid-typeof
    if (typeof holder[name] !== type) missing.push(prefix + name);
  }
};
check(classes, globalThis, "function");
check(functions, globalThis, "function");
check(objects, globalThis, "object");
check(ofDeno, Deno, "function", "Deno.");
check(objectsOfDeno, Deno, "object", "Deno.");
check(errorsOfDeno, Deno.errors, "function", "Deno.errors.");
assertEquals(missing, []);
assertEquals(typeof Deno.mainModule, "string");
assertEquals(typeof Deno.version.deno, "string");
assertEquals(typeof Deno.version.v8, "string");
assertEquals(typeof Deno.build.os, "string");
assertEquals(typeof Deno.build.arch, "string");
assertEquals(self === globalThis, true);

// As in a browser, none of them shows up in a loop over the global object.
const shown = Object.keys(globalThis).filter((name) =>
  words(classes).includes(name)
);
assertEquals(shown, []);
console.log("ok");
