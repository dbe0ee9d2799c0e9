// flags: --allow-net
// A handler that throws, rejects or returns no Response: onError answers, and the
// server lives on.
import { assertEquals } from "../_assert.js";

const seen = [];
const server = Deno.serve({
  hostname: "127.0.0.1",
  port: 0,
  onListen() {},
  onError(error) {
    seen.push(error.message);
    return new Response("custom", { status: 418 });
  },
}, (request) => {
  switch (new URL(request.url).pathname) {
    case "/throw":
      throw new Error("thrown");
    case "/reject":
      return Promise.reject(new Error("rejected"));
    default:
      return new Response("fine");
  }
});
const base = `http://127.0.0.1:${server.addr.port}`;
for (
  const [path, status, text] of [
    ["/throw", 418, "custom"],
    ["/reject", 418, "custom"],
    ["/", 200, "fine"],
  ]
) {
  const response = await fetch(base + path);
  assertEquals([response.status, await response.text()], [status, text]);
}
assertEquals(seen, ["thrown", "rejected"]);
await server.shutdown();
console.log("ok");
