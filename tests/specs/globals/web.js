// A walk through the rest of the web platform that is here.
import { assert, assertEquals, assertRejects, once } from "../_assert.js";

assertEquals(
  new URL("../b?x=1#y", "http://e.org/a/c").href,
  "http://e.org/b?x=1#y",
);
const match = new URLPattern({ pathname: "/rooms/:id" })
  .exec("http://e.org/rooms/7");
assertEquals(match.pathname.groups.id, "7");
assertEquals(structuredClone({ a: new Map([[1, new Date(0)]]) }).a.size, 1);
assertEquals(atob(btoa("plain")), "plain");
assertEquals(
  new TextDecoder("utf-16le").decode(new Uint8Array([0x61, 0])),
  "a",
);
assertEquals(
  await new File(["f"], "f.txt", { type: "text/plain" }).text(),
  "f",
);

const { port1, port2 } = new MessageChannel();
port2.postMessage({ through: "the channel" });
port1.start();
assertEquals((await once(port1, "message")).data, { through: "the channel" });
port1.close();

const here = new BroadcastChannel("spec");
const there = new BroadcastChannel("spec");
const heard = once(there, "message");
here.postMessage("to all");
assertEquals((await heard).data, "to all");
here.close();
there.close();

assertEquals(crypto.getRandomValues(new Uint8Array(16)).length, 16);
assert(/^[0-9a-f]{8}-[0-9a-f]{4}-4/.test(crypto.randomUUID()));
const digest = await crypto.subtle.digest("SHA-256", new Uint8Array());
assertEquals(
  new Uint8Array(digest).slice(0, 4),
  new Uint8Array([227, 176, 196, 66]),
);

const words = ReadableStream.from(["a", "b"])
  .pipeThrough(
    new TransformStream({
      transform: (chunk, out) => out.enqueue(chunk.toUpperCase()),
    }),
  );
assertEquals(await Array.fromAsync(words), ["A", "B"]);
const packed = new Blob(["squeeze ".repeat(100)]).stream()
  .pipeThrough(new CompressionStream("gzip"))
  .pipeThrough(new DecompressionStream("gzip"));
assertEquals((await new Response(packed).text()).length, 800);

const start = performance.now();
await new Promise((resolve) => setTimeout(resolve, 3));
assert(performance.now() > start);
const interval = await new Promise((resolve) => {
  let ticks = 0;
  const id = setInterval(() => {
    if (++ticks === 3) {
      clearInterval(id);
      resolve(ticks);
    }
  }, 1);
});
assertEquals(interval, 3);

const reason = await assertRejects(
  new Promise((_, reject) => {
    const signal = AbortSignal.timeout(1);
    signal.onabort = () => reject(signal.reason);
    setTimeout(() => {}, 5);
  }),
  "TimeoutError",
);
assert(reason instanceof DOMException);
const any = AbortSignal.any([
  AbortSignal.abort("why"),
  AbortSignal.timeout(1e6),
]);
assertEquals(any.reason, "why");

const response = new Response("body", { headers: { "X-Name": "v" } });
assertEquals(response.headers.get("x-name"), "v");
const request = new Request("http://e.org/", { method: "PUT", body: "b" });
assertEquals(await request.clone().text(), "b");
assertEquals(
  await (await fetch("data:text/plain,from data")).text(),
  "from data",
);
console.log("ok");
