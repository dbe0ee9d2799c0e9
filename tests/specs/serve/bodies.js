// flags: --allow-net
// Request and response bodies: every kind, streamed both ways, and HEAD.
import { assertEquals } from "../_assert.js";

const server = Deno.serve(
  { hostname: "127.0.0.1", port: 0, onListen() {} },
  async (request) => {
    const { pathname } = new URL(request.url);
    switch (pathname) {
      case "/text":
        return new Response((await request.text()).toUpperCase());
      case "/json":
        return Response.json({ got: await request.json() });
      case "/bytes":
        return new Response(await request.arrayBuffer());
      case "/form": {
        const form = await request.formData();
        return new Response(`${form.get("name")} ${form.get("file").size}`);
      }
      case "/pipe":
        return new Response(request.body);
      case "/stream":
        return new Response(
          new ReadableStream({
            async start(controller) {
              for (const word of ["one ", "two ", "three"]) {
                controller.enqueue(new TextEncoder().encode(word));
                await new Promise((resolve) => setTimeout(resolve, 1));
              }
              controller.close();
            },
          }),
        );
      case "/headers":
        return new Response(null, {
          status: 204,
          headers: [
            ["x-echo", request.headers.get("x-echo")],
            ["set-cookie", "a=1"],
            ["set-cookie", "b=2"],
          ],
        });
      default:
        return new Response("not found", { status: 404 });
    }
  },
);
const base = `http://127.0.0.1:${server.addr.port}`;
const post = (path, body, headers) =>
  fetch(base + path, { method: "POST", body, headers });

assertEquals(await (await post("/text", "grüße")).text(), "GRÜSSE");
assertEquals(
  await (await post("/json", JSON.stringify({ a: [1, null] }))).json(),
  { got: { a: [1, null] } },
);
const bytes = new Uint8Array(300_000).map((_, i) => i * 7);
assertEquals(await (await post("/bytes", bytes)).arrayBuffer(), bytes);
const form = new FormData();
form.set("name", "value");
form.set("file", new Blob(["12345"]), "five.txt");
assertEquals(await (await post("/form", form)).text(), "value 5");
const big = "0123456789".repeat(200_000);
assertEquals(await (await post("/pipe", big)).text() === big, true);
assertEquals(await (await fetch(`${base}/stream`)).text(), "one two three");
const headers = await fetch(`${base}/headers`, { headers: { "x-echo": "hi" } });
assertEquals(headers.status, 204);
assertEquals(headers.headers.get("x-echo"), "hi");
assertEquals(headers.headers.getSetCookie(), ["a=1", "b=2"]);
assertEquals(headers.body, null);
const head = await fetch(`${base}/nowhere`, { method: "HEAD" });
assertEquals([head.status, await head.text()], [404, ""]);
await server.shutdown();
console.log("ok");
