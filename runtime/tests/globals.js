// Touches every global and every member of `Deno` that a program can use.

function assert(condition, message) {
  if (!condition) {
    throw new Error(message);
  }
}

function assertEquals(actual, expected, message = "") {
  if (!Object.is(actual, expected)) {
    throw new Error(
      `${message}: ${Deno.inspect(actual)} is not ${Deno.inspect(expected)}`,
    );
  }
}

// Property attributes: interfaces are not enumerable, operations are.
const INTERFACES = [
  "AbortController",
  "AbortSignal",
  "Blob",
  "BroadcastChannel",
  "ByteLengthQueuingStrategy",
  "CloseEvent",
  "CompressionStream",
  "CountQueuingStrategy",
  "Crypto",
  "CryptoKey",
  "CustomEvent",
  "DOMException",
  "DOMMatrix",
  "DOMMatrixReadOnly",
  "DOMPoint",
  "DOMPointReadOnly",
  "DOMQuad",
  "DOMRect",
  "DOMRectReadOnly",
  "DecompressionStream",
  "ErrorEvent",
  "Event",
  "EventSource",
  "EventTarget",
  "File",
  "FileReader",
  "FormData",
  "Headers",
  "ImageData",
  "Location",
  "Lock",
  "LockManager",
  "MessageChannel",
  "MessageEvent",
  "MessagePort",
  "Navigator",
  "Performance",
  "PerformanceEntry",
  "PerformanceMark",
  "PerformanceMeasure",
  "PerformanceObserver",
  "PerformanceObserverEntryList",
  "ProgressEvent",
  "PromiseRejectionEvent",
  "QuotaExceededError",
  "ReadableByteStreamController",
  "ReadableStream",
  "ReadableStreamBYOBReader",
  "ReadableStreamBYOBRequest",
  "ReadableStreamDefaultController",
  "ReadableStreamDefaultReader",
  "Request",
  "Response",
  "SubtleCrypto",
  "TextDecoder",
  "TextDecoderStream",
  "TextEncoder",
  "TextEncoderStream",
  "TransformStream",
  "TransformStreamDefaultController",
  "URL",
  "URLPattern",
  "URLSearchParams",
  "WebSocket",
  "Worker",
  "Window",
  "WritableStream",
  "WritableStreamDefaultController",
  "WritableStreamDefaultWriter",
];
for (const name of INTERFACES) {
  const constructor = globalThis[name];
  assertEquals(typeof constructor, "function", name);
  assertEquals(constructor.name, name, `${name}.name`);
  const property = Object.getOwnPropertyDescriptor(globalThis, name);
  assertEquals(property.value, constructor, `${name} is a value`);
  assertEquals(property.writable, true, `${name} is writable`);
  assertEquals(property.enumerable, false, `${name} is not enumerable`);
  assertEquals(property.configurable, true, `${name} is configurable`);
}
const OPERATIONS = [
  "alert",
  "atob",
  "btoa",
  "clearInterval",
  "clearTimeout",
  "close",
  "confirm",
  "fetch",
  "prompt",
  "queueMicrotask",
  "reportError",
  "setInterval",
  "setTimeout",
  "structuredClone",
];
for (const name of OPERATIONS) {
  assertEquals(typeof globalThis[name], "function", name);
  const property = Object.getOwnPropertyDescriptor(globalThis, name);
  assertEquals(property.enumerable, true, `${name} is enumerable`);
  assertEquals(property.writable, true, `${name} is writable`);
}

// Assigning to a global that is not loaded yet replaces it.
const { URLPattern: originalURLPattern } = globalThis;
assert(originalURLPattern, "URLPattern");

// The global object
assert(globalThis instanceof Window, "instanceof Window");
assert(globalThis instanceof EventTarget, "instanceof EventTarget");
assertEquals(self, globalThis, "self");
assertEquals(typeof window, "undefined", "window");
assertEquals(Object.prototype.toString.call(globalThis), "[object Window]");
assertEquals(location, undefined, "location");
assertEquals(closed, false, "closed");
assertEquals(name, "", "name");
for (
  const handler of [
    "onbeforeunload",
    "onerror",
    "onload",
    "onunhandledrejection",
    "onunload",
  ]
) {
  assertEquals(globalThis[handler], null, handler);
}

// Events
{
  const target = new EventTarget();
  let seen;
  target.addEventListener("a", (event) => seen = event);
  const event = new CustomEvent("a", { detail: 1 });
  target.dispatchEvent(event);
  assertEquals(seen, event, "dispatchEvent");
  assertEquals(new MessageEvent("m", { data: 2 }).data, 2, "MessageEvent");
  assertEquals(new CloseEvent("c", { code: 1000 }).code, 1000, "CloseEvent");
  assertEquals(
    new ErrorEvent("e", { message: "m" }).message,
    "m",
    "ErrorEvent",
  );
  assertEquals(new ProgressEvent("p", { total: 3 }).total, 3, "ProgressEvent");
  let global;
  addEventListener("b", () => global = true, { once: true });
  dispatchEvent(new Event("b"));
  assert(global, "global events");
}

// URLs
assertEquals(new URL("../b?c=d", "http://h/a/x/").href, "http://h/a/b?c=d");
assertEquals(new URLSearchParams("a=1&b=2").get("b"), "2");
assertEquals(
  new URLPattern({ pathname: "/:id" }).exec("http://h/7").pathname.groups.id,
  "7",
);

// Encoding
assertEquals(
  new TextDecoder().decode(new TextEncoder().encode("grün")),
  "grün",
);
assertEquals(new TextDecoder("utf-16le").decode(new Uint8Array([65, 0])), "A");
assertEquals(atob(btoa("hello")), "hello");

// Streams
{
  const stream = new ReadableStream({
    start(controller) {
      controller.enqueue("a");
      controller.enqueue("b");
      controller.close();
    },
  });
  let text = "";
  const upper = new TransformStream({
    transform(chunk, controller) {
      controller.enqueue(chunk.toUpperCase());
    },
  });
  for await (const chunk of stream.pipeThrough(upper)) {
    text += chunk;
  }
  assertEquals(text, "AB", "streams");
  const compressed = new Blob(["x".repeat(1000)]).stream()
    .pipeThrough(new CompressionStream("gzip"))
    .pipeThrough(new DecompressionStream("gzip"))
    .pipeThrough(new TextDecoderStream());
  let length = 0;
  for await (const chunk of compressed) {
    length += chunk.length;
  }
  assertEquals(length, 1000, "compression");
  await new WritableStream().getWriter().close();
}

// Files
{
  const file = new File(["abc"], "f.txt", { type: "text/plain" });
  assertEquals(await file.text(), "abc");
  assertEquals(await new Blob([file, "d"]).slice(1).text(), "bcd");
  const reader = new FileReader();
  const loaded = new Promise((resolve) => reader.onload = resolve);
  reader.readAsText(file);
  await loaded;
  assertEquals(reader.result, "abc");
  const url = URL.createObjectURL(file);
  assertEquals(await (await fetch(url)).text(), "abc");
  URL.revokeObjectURL(url);
}

// Timers, microtasks, signals
await new Promise((resolve) => setTimeout(resolve, 1));
await new Promise((resolve) => {
  let count = 0;
  const interval = setInterval(() => {
    if (++count === 2) {
      clearInterval(interval);
      resolve();
    }
  }, 1);
});
await new Promise((resolve) => queueMicrotask(resolve));
clearTimeout(setTimeout(() => reportError("not cleared"), 1));
Deno.unrefTimer(setTimeout(() => reportError("not waited for"), 100_000));
{
  const controller = new AbortController();
  controller.abort("reason");
  assertEquals(controller.signal.reason, "reason");
  const signal = AbortSignal.timeout(1);
  await new Promise((resolve) => signal.onabort = resolve);
  assertEquals(signal.reason.name, "TimeoutError");
}

// Cloning and messages
{
  const map = structuredClone(new Map([["a", new Uint8Array([1])]]));
  assertEquals(map.get("a")[0], 1);
  const { port1, port2 } = new MessageChannel();
  const received = new Promise((resolve) => port2.onmessage = resolve);
  port1.postMessage({ a: 1 });
  assertEquals((await received).data.a, 1);
  port1.close();
  port2.close();
  const first = new BroadcastChannel("c");
  const second = new BroadcastChannel("c");
  const broadcast = new Promise((resolve) => second.onmessage = resolve);
  first.postMessage("b");
  assertEquals((await broadcast).data, "b");
  first.close();
  second.close();
}

// Performance
assert(performance.now() >= 0, "performance.now");
assert(
  Math.abs(performance.timeOrigin + performance.now() - Date.now()) < 5000,
  "performance.timeOrigin",
);
performance.mark("m");
assertEquals(performance.getEntriesByName("m").length, 1);

// Console
assertEquals(typeof console.log, "function");
console.assert(true);
assertEquals(Deno.inspect({ a: [1, "b"] }), `{ a: [ 1, "b" ] }`);
assertEquals(Deno.inspect(new Error("e")).startsWith("Error: e\n"), true);
class Custom {
  [Symbol.for("Deno.customInspect")]() {
    return "custom";
  }
}
assertEquals(Deno.inspect(new Custom()), "custom");

// Crypto
assertEquals(crypto.randomUUID().length, 36);
assert(crypto instanceof Crypto, "crypto");
{
  const digest = await crypto.subtle.digest("SHA-1", new Uint8Array());
  assertEquals(new Uint8Array(digest)[0], 0xda);
  const key = await crypto.subtle.generateKey(
    { name: "HMAC", hash: "SHA-256" },
    true,
    ["sign", "verify"],
  );
  assert(key instanceof CryptoKey, "CryptoKey");
  const data = new Uint8Array([1, 2, 3]);
  const signature = await crypto.subtle.sign("HMAC", key, data);
  assert(await crypto.subtle.verify("HMAC", key, signature, data), "verify");
}

// Fetch
{
  const headers = new Headers({ "A": "1" });
  headers.append("a", "2");
  assertEquals(headers.get("a"), "1, 2");
  const request = new Request("http://h/", { method: "POST", body: "b" });
  assertEquals(await request.text(), "b");
  assertEquals((await Response.json({ a: 1 }).json()).a, 1);
  const form = new FormData();
  form.append("f", new Blob(["x"]), "x.txt");
  const copy = await new Response(form).formData();
  assertEquals(await copy.get("f").text(), "x");
  assertEquals(await (await fetch("data:text/plain,hi")).text(), "hi");
  assertEquals(EventSource.CLOSED, 2);
}

// Locks
{
  let held;
  await navigator.locks.request("l", async () => {
    held = (await navigator.locks.query()).held;
  });
  assertEquals(held[0].name, "l");
}

// Geometry
assertEquals(new DOMMatrix("scale(2)").a, 2);
assertEquals(DOMRect.fromRect({ width: 3 }).right, 3);
assertEquals(new ImageData(1, 2).data.length, 8);

// Navigator
assert(navigator instanceof Navigator, "navigator");
assert(navigator.userAgent.startsWith("Deno/"), navigator.userAgent);
assert(navigator.hardwareConcurrency >= 1, "hardwareConcurrency");
assert(navigator.language.length >= 2, "language");
assertEquals(navigator.languages[0], navigator.language);
assertEquals(typeof navigator.platform, "string");

// DOMException
assertEquals(new DOMException("m", "AbortError").code, 20);
try {
  structuredClone(() => {});
  assert(false, "functions cannot be cloned");
} catch (error) {
  assert(error instanceof DOMException, "DataCloneError");
  assertEquals(error.name, "DataCloneError");
}
try {
  await crypto.subtle.importKey("raw", new Uint8Array(3), "AES-GCM", true, [
    "encrypt",
  ]);
  assert(false, "the key is too short");
} catch (error) {
  assert(error instanceof DOMException, `${error}`);
  assertEquals(error.name, "DataError");
}

// Dialogs without a terminal
if (!Deno.stdin.isTerminal()) {
  assertEquals(alert("a"), undefined);
  assertEquals(confirm("c"), false);
  assertEquals(prompt("p", "d"), null);
}

// `Deno`: what it tells of the process
assertEquals(typeof Deno.pid, "number");
assertEquals(typeof Deno.ppid, "number");
assertEquals(Deno.mainModule, "file:///main.js");
assertEquals(Array.isArray(Deno.args), true);
assertEquals(typeof Deno.noColor, "boolean");
assertEquals(typeof Deno.stdout.isTerminal(), "boolean");
assertEquals(Deno.version.deno, "2.9.8");
assertEquals(typeof Deno.version.v8, "string");
assertEquals(typeof Deno.version.typescript, "string");
assertEquals(typeof Deno.version.duplex, "string");
assertEquals(Deno.build.target.split("-")[0], Deno.build.arch);
assertEquals(typeof Deno.build.os, "string");
assert(Deno.memoryUsage().rss > 0, "memoryUsage");
assertEquals(typeof Deno.hostname(), "string");
assertEquals(typeof Deno.osRelease(), "string");
assertEquals(typeof Deno.uid(), "number");
assertEquals(typeof Deno.gid(), "number");
assertEquals(typeof Deno.execPath(), "string");
assertEquals(Deno.exitCode, 0);
Deno.env.set("DUPLEX_TEST", "1");
assertEquals(Deno.env.get("DUPLEX_TEST"), "1");
assertEquals(Deno.env.get("DUPLEX_TEST_MISSING"), undefined);
Deno.env.delete("DUPLEX_TEST");
assertEquals(Deno.env.has("DUPLEX_TEST"), false);
const property = Object.getOwnPropertyDescriptor(globalThis, "Deno");
assertEquals(property.writable, false, "Deno is read-only");

// `Deno`: permissions
{
  const status = await Deno.permissions.query({ name: "net", host: "h:1" });
  assert(status instanceof Deno.PermissionStatus, "PermissionStatus");
  assert(status instanceof EventTarget, "PermissionStatus is an EventTarget");
  assertEquals(status.state, "granted");
  assertEquals(Deno.permissions.requestSync({ name: "env" }).state, "granted");
  let rejected;
  await Deno.permissions.query({ name: "none" }).catch((e) => rejected = e);
  assert(rejected instanceof TypeError, "a permission that does not exist");
  const read = Deno.permissions.querySync({ name: "ffi" });
  let changed = false;
  read.onchange = () => changed = true;
  assertEquals(Deno.permissions.revokeSync({ name: "ffi" }).state, "prompt");
  assert(changed, "change event");
  assertEquals(read.state, "prompt");
}

// `Deno`: files
{
  const directory = await Deno.makeTempDir();
  const path = `${directory}/file`;
  await Deno.writeTextFile(path, "text");
  assertEquals(await Deno.readTextFile(path), "text");
  await Deno.writeFile(path, new Uint8Array([1, 2]));
  assertEquals((await Deno.readFile(path))[1], 2);
  assertEquals((await Deno.stat(path)).size, 2);
  assertEquals(Deno.lstatSync(path).isFile, true);
  await Deno.copyFile(path, `${path}2`);
  await Deno.rename(`${path}2`, `${path}3`);
  const names = [];
  for await (const entry of Deno.readDir(directory)) {
    names.push(entry.name);
  }
  assertEquals(names.sort().join(), "file,file3");
  await Deno.mkdir(`${directory}/a/b`, { recursive: true });
  assertEquals(await Deno.realPath(`${directory}/a/..`), directory);
  {
    // Reading to the end of the stream closes the file.
    const file = await Deno.open(path, { read: true });
    const chunks = [];
    for await (const chunk of file.readable) {
      chunks.push(...chunk);
    }
    assertEquals(chunks.join(), "1,2");
  }
  const created = await Deno.create(`${directory}/created`);
  await created.write(new Uint8Array([3]));
  created.close();
  let missing;
  try {
    await Deno.open(`${directory}/missing`);
  } catch (error) {
    missing = error;
  }
  assert(missing instanceof Deno.errors.NotFound, `${missing}`);
  assertEquals(missing.name, "NotFound");
  const before = Deno.cwd();
  Deno.chdir(directory);
  assertEquals(Deno.cwd(), directory);
  Deno.chdir(before);
  await Deno.remove(directory, { recursive: true });
}

// `Deno`: network
{
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const accepted = listener.accept();
  const client = await Deno.connect({
    hostname: "127.0.0.1",
    port: listener.addr.port,
  });
  const server = await accepted;
  await client.write(new TextEncoder().encode("ping"));
  const buffer = new Uint8Array(8);
  assertEquals(await server.read(buffer), 4);
  client.close();
  server.close();
  listener.close();
  let refused;
  try {
    await Deno.connect({ hostname: "127.0.0.1", port: 1 });
  } catch (error) {
    refused = error;
  }
  assert(refused instanceof Deno.errors.ConnectionRefused, `${refused}`);
  assertEquals(typeof Deno.connectTls, "function");
  assertEquals(typeof Deno.listenTls, "function");
  assertEquals(typeof Deno.startTls, "function");
  assertEquals(typeof Deno.resolveDns, "function");
  const http = Deno.createHttpClient({});
  assert(http instanceof Deno.HttpClient, "HttpClient");
  let error;
  const url = `http://127.0.0.1:${listener.addr.port}/`;
  await fetch(url, { client: http }).catch((e) => error = e);
  assert(error instanceof TypeError, "fetch of a closed port");
  http.close();
}

// `Deno`: HTTP and WebSockets
{
  const server = Deno.serve({ port: 0, onListen() {} }, (request) => {
    if (request.headers.get("upgrade") !== "websocket") {
      return new Response("plain");
    }
    const { socket, response } = Deno.upgradeWebSocket(request);
    socket.onmessage = (event) => socket.send(event.data);
    return response;
  });
  const { port } = server.addr;
  const response = await fetch(`http://127.0.0.1:${port}/`);
  assertEquals(await response.text(), "plain");
  const socket = new WebSocket(`ws://127.0.0.1:${port}/`);
  await new Promise((resolve) => socket.onopen = resolve);
  socket.send("echo");
  const message = await new Promise((resolve) => socket.onmessage = resolve);
  assertEquals(message.data, "echo");
  socket.close(1000);
  const close = await new Promise((resolve) => socket.onclose = resolve);
  assert(close instanceof CloseEvent, "CloseEvent");
  assertEquals(close.code, 1000);
  await server.shutdown();
}

// `Deno`: signals
{
  const listener = () => {};
  Deno.addSignalListener("SIGUSR1", listener);
  Deno.removeSignalListener("SIGUSR1", listener);
}

// `Deno.errors`
for (const name of Object.keys(Deno.errors)) {
  const error = new Deno.errors[name]("message", { cause: 1 });
  assert(error instanceof Error, name);
  assertEquals(error.name, name);
  assertEquals(Deno.errors[name].name, name);
  assertEquals(error.cause, 1);
}

// Well-known symbols
assertEquals(typeof Symbol.dispose, "symbol");
assertEquals(typeof Symbol.asyncDispose, "symbol");
assertEquals(typeof Symbol.metadata, "symbol");

// No property throws when it is read.
for (const target of [globalThis, Deno]) {
  for (const key of Reflect.ownKeys(target)) {
    void target[key];
  }
}
