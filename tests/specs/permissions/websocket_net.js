// flags: --allow-net=127.0.0.0/30,*.example.invalid,name.invalid:81 --deny-net=127.0.0.3,no.example.invalid
// deno: gives the close event code 0 instead of 1006
// What --allow-net and --deny-net take for a WebSocket: subnets, wildcards, hosts
// and ports. What is allowed is dialled, what is not throws.
import { assertEquals, assertThrows, once } from "../_assert.js";

const server = Deno.serve(
  { hostname: "127.0.0.1", port: 0, onListen() {} },
  (request) => Deno.upgradeWebSocket(request).response,
);
const { port } = server.addr;
const socket = new WebSocket(`ws://127.0.0.1:${port}/`);
await once(socket, "open");
socket.close();
await once(socket, "close");
await server.shutdown();

const failed = [
  `ws://127.0.0.2:${port}/`,
  "ws://example.invalid/",
  "wss://a.example.invalid:4430/",
  "wss://b.a.example.invalid/",
  "ws://name.invalid:81/",
];
for (const url of failed) {
  const { code } = await once(new WebSocket(url), "close");
  assertEquals(code, 1006);
}

const refused = {
  "ws://127.0.0.3/": "127.0.0.3:80",
  "ws://127.0.0.4/": "127.0.0.4:80",
  "wss://no.example.invalid/": "no.example.invalid:443",
  "ws://notexample.invalid/": "notexample.invalid:80",
  "ws://name.invalid/": "name.invalid:80",
};
for (const [url, host] of Object.entries(refused)) {
  assertThrows(
    () => new WebSocket(url),
    "NotCapable",
    `net access to "${host}"`,
  );
}
console.log("ok");
