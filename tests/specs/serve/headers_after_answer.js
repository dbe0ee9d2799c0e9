// flags: --allow-net
// deno: not for the handlers of a socket
// Headers that a handler has taken can be read when the request was answered, and headers that
// it has not taken cannot.
import { assertEquals, assertThrows, once } from "../_assert.js";

const requests = [];
const server = Deno.serve(
  { hostname: "127.0.0.1", port: 0, onListen() {} },
  (request) => {
    requests.push([request, request.url.endsWith("/taken") && request.headers]);
    if (request.url.endsWith("/socket")) {
      const headers = request.headers;
      requests.push([request, headers]);
      const { socket, response } = Deno.upgradeWebSocket(request);
      socket.onmessage = () => socket.send(headers.get("x-name"));
      return response;
    }
    return new Response("hello");
  },
);
const url = `http://127.0.0.1:${server.addr.port}`;
const headers = [["x-name", "a"], ["x-name", "b"], ["x-other", "\xe9"]];
for (const path of ["/taken", "/left"]) {
  const response = await fetch(url + path, {
    method: "POST",
    headers,
    body: "body",
  });
  assertEquals(await response.text(), "hello");
}
const [[taken, its], [left]] = requests;
assertEquals(its.get("X-Name"), "a, b");
assertEquals(its.get("x-other"), "\xe9");
assertEquals(its.get("x-none"), null);
assertEquals(its.has("content-length"), true);
assertEquals([...taken.headers.keys()].includes("x-other"), true);
assertThrows(() => left.headers.get("x-name"), "TypeError", "closed");

const socket = new WebSocket(`ws://127.0.0.1:${server.addr.port}/socket`, {
  headers: { "x-name": "c" },
});
await once(socket, "open");
socket.send("which?");
assertEquals((await once(socket, "message")).data, "c");
socket.close();
await server.shutdown();
console.log("ok");
