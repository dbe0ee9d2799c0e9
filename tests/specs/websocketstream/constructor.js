// flags: --allow-net --location http://example.org/folder/page
// deno: WebSocketStream needs --unstable-net
// The arguments of the constructor, and what of them goes out.
import { assertEquals, assertRejects, assertThrows } from "../_assert.js";
import { header, rawServer, switching, write } from "../_raw.js";

const url = "ws://127.0.0.1:1/";
const fails = (name, text, ...args) =>
  assertThrows(() => new WebSocketStream(...args), name, text);

fails("TypeError", "1 argument required");
assertThrows(() => WebSocketStream(url), "TypeError");
fails("SyntaxError", "", "ws://");
fails("SyntaxError", "Only ws & wss schemes", "ftp://127.0.0.1/");
fails("SyntaxError", "Fragments", `${url}#`);
fails("SyntaxError", "Fragments", `${url}#part`);
const error = fails("SyntaxError", "", "invalid:");
assertEquals(error instanceof DOMException, true);
fails("TypeError", "", Symbol());

fails("TypeError", "dictionary", url, true);
fails("TypeError", "dictionary", url, "protocol");
fails("TypeError", "", url, { protocols: "protocol" });
fails("TypeError", "", url, { protocols: 5 });
fails("SyntaxError", "same protocol", url, { protocols: ["a", "b", "A"] });
fails("SyntaxError", "Invalid protocol", url, { protocols: ["a b"] });
fails("SyntaxError", "Invalid protocol", url, { protocols: [""] });
fails("TypeError", "AbortSignal", url, { signal: {} });
fails("TypeError", "AbortSignal", url, { signal: null });
fails("TypeError", "Deno.HttpClient", url, { client: {} });
fails("TypeError", "", url, { headers: "Name: value" });
fails("TypeError", "", url, { headers: { "a b": "" } });
fails("TypeError", "maxPayloadLength", url, { maxPayloadLength: 0 });
fails("TypeError", "perMessageDeflate", url, { perMessageDeflate: 1 });

// The members are read in the order of their names, each once.
const read = [];
const options = new Proxy({}, {
  get: (_, name) => void read.push(name),
});
fails("SyntaxError", "", "invalid:", options);
assertEquals(read, [
  "backpressureLimit",
  "client",
  "closeTimeout",
  "connectTimeout",
  "handshakeTimeout",
  "headers",
  "leastProgress",
  "maxControlFrames",
  "maxFragments",
  "maxPayloadLength",
  "perMessageDeflate",
  "protocols",
  "signal",
]);

// A URL may be relative, and http(s) means ws(s).
const urls = {
  "/x?y": "ws://example.org/x?y",
  "x": "ws://example.org/folder/x",
  "HTTP://127.0.0.1:1": url,
  "https://127.0.0.1:1": "wss://127.0.0.1:1/",
  [url]: url,
};
for (const [given, expected] of Object.entries(urls)) {
  const signal = AbortSignal.abort("not dialled");
  const stream = new WebSocketStream(given, { signal });
  assertEquals(stream.url, expected);
}
for (const nothing of [undefined, null, {}, () => {}]) {
  const stream = new WebSocketStream(url, nothing);
  stream.close();
}

// What goes out.
const server = rawServer(async (conn, reader, head) => {
  await write(conn, await switching(head, "Sec-WebSocket-Protocol: b\r\n"));
  await reader.close();
  return head;
});
const stream = new WebSocketStream(
  server.url.replace("//", "//user:pass@"),
  { protocols: ["a", "b"], headers: { "X-Name": "value" } },
);
assertEquals(stream.url, server.url);
assertEquals((await stream.opened).protocol, "b");
stream.close();
await assertRejects(stream.closed, "WebSocketError");
const head = await server.done;
assertEquals(header(head, "sec-websocket-protocol"), "a, b");
assertEquals(header(head, "x-name"), "value");
assertEquals(header(head, "authorization"), `Basic ${btoa("user:pass")}`);
assertEquals(header(head, "sec-websocket-version"), "13");

// A connection that fails rejects both promises.
const refusing = rawServer(async (conn) => {
  await write(conn, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
});
const refused = new WebSocketStream(refusing.url);
const notOpened = await assertRejects(refused.opened, "WebSocketError", "404");
assertEquals([notOpened.closeCode, notOpened.reason], [null, ""]);
const notClosed = await assertRejects(refused.closed, "WebSocketError", "404");
assertEquals([notClosed.closeCode, notClosed.reason], [1006, ""]);
await refusing.done;
console.log("ok");
