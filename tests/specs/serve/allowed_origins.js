// flags: --allow-net
// deno: there is no option allowedOrigins
// Pages of other origins are refused with 403, in all forms.
import { assert, assertEquals, assertThrows } from "../_assert.js";
import { rawClient, Reader, upgradeRequest, write } from "../_raw.js";

const hostname = "127.0.0.1";
const listen = { hostname, port: 0, onListen() {} };
const stream = (request, options) =>
  Deno.upgradeWebSocketStream(request, options).response;
const event = (request, options) =>
  Deno.upgradeWebSocket(request, options).response;
const copied = (request, options) =>
  Deno.upgradeWebSocket(request.clone(), options).response;

const forms = {
  event: (options) => Deno.serve(listen, (request) => event(request, options)),
  async: (options) =>
    Deno.serve(listen, async (request) => {
      await null;
      return event(request, options);
    }),
  stream: (options) =>
    Deno.serve(listen, (request) => stream(request, options)),
  copied: (options) =>
    Deno.serve(listen, (request) => copied(request, options)),
  object: (options) =>
    Deno.serve({
      ...listen,
      websocket: options,
      fetch(request, info) {
        if (!info.upgrade(request)) return;
      },
    }),
};

const cases = [
  ["https://a.example", ["https://a.example"], 101],
  ["https://a.example", ["https://b.example", "https://a.example"], 101],
  ["https://a.example", [], 403],
  ["https://a.example", ["https://a.example:8443"], 403],
  ["http://a.example", ["https://a.example"], 403],
  ["https://sub.a.example", ["https://a.example"], 403],
  ["https://a.example.evil", ["https://a.example"], 403],
  ["https://a.example/", ["https://a.example"], 403],
  ["https://a.example, https://b.example", ["https://a.example"], 403],
  ["", ["https://a.example"], 403],
  ["null", ["https://a.example", "same-origin"], 403],
  ["null", ["null"], 101],
  ["chrome-extension://abc", ["chrome-extension://abc"], 101],
  ["chrome-extension://abd", ["chrome-extension://abc"], 403],
  ["https://a.example", ["*"], 101],
  [undefined, ["https://a.example"], 101],
  [undefined, [], 101],
  ["http://h.example:8000", ["same-origin"], 101],
  ["https://h.example:8000", ["same-origin"], 101],
  ["http://h.example", ["same-origin"], 403],
  ["http://evil.example:8000", ["same-origin"], 403],
  ["h.example:8000", ["same-origin"], 403],
];

for (const [name, serve] of Object.entries(forms)) {
  for (const [origin, allowedOrigins, status] of cases) {
    const server = serve({ allowedOrigins });
    const { conn, head, reader } = await rawClient(server.addr.port, {
      Origin: origin,
      Host: "h.example:8000",
    });
    const what = `${name} ${origin} ${allowedOrigins}: ${head}`;
    assert(head.startsWith(`HTTP/1.1 ${status} `), what);
    if (status === 403) {
      const text = `Origin '${origin}' is not in allowedOrigins`;
      const body = await reader.bytes(text.length);
      assertEquals(new TextDecoder().decode(body), text);
    }
    conn.close();
    await server.shutdown();
  }
}

// The same over HTTP with two Origins.
const twice = forms.event({ allowedOrigins: ["https://a.example"] });
const conn = await Deno.connect({ hostname, port: twice.addr.port });
const origins = "\r\nOrigin: https://a.example\r\nOrigin: https://a.example";
await write(conn, upgradeRequest({}, `GET / HTTP/1.1${origins}`));
assert((await new Reader(conn).head()).startsWith("HTTP/1.1 403 "));
conn.close();
await twice.shutdown();

// What is no origin is said so, and not taken for a page that never comes.
const request = new Request("http://a/");
for (
  const [entry, text] of [
    ["https://a.example/", 'write "https://a.example"'],
    ["https://a.example:443", 'write "https://a.example"'],
    ["HTTPS://A.example", 'write "https://a.example"'],
    ["https://a.example/path", 'write "https://a.example"'],
    ["wss://a.example", "of the page"],
    ["a.example", "is not an origin"],
    ["//a.example", "is not an origin"],
    ["https://", "is not an origin"],
    ["https://*.a.example", "wildcards"],
    ["file:///a", "is not an origin"],
    ["", "is not an origin"],
    [/a/, "must be strings"],
  ]
) {
  const options = { allowedOrigins: [entry] };
  assertThrows(() => event(request, options), "TypeError", text);
}
assertThrows(
  () => event(request, { allowedOrigins: "https://a.example" }),
  "TypeError",
  "must be an array",
);
console.log("ok");
