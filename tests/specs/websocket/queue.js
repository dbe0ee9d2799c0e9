// flags: --allow-net
// deno: dials all of them at once
// Of the connections to one address one at a time is connecting (RFC 6455 section
// 4.1), whatever its name; one that is given up, refused or timed out makes way.
import { assertEquals, once } from "../_assert.js";
import { Reader, switching, write } from "../_raw.js";

const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
const { port } = listener.addr;
let connecting = 0;
const seen = [];

async function serve(conn) {
  const reader = new Reader(conn);
  const head = await reader.head();
  const path = head.split(" ")[1];
  // When the client's time is up is not known here.
  if (path !== "/late") {
    connecting++;
    // Whatever else would dial has the time to.
    for (let i = 0; i < 20; i++) await new Promise((r) => setTimeout(r));
    seen.push(`${path} ${connecting}`);
    // What happens from here on comes after the answer, or after the client left.
    connecting--;
  }
  if (path === "/refused") await write(conn, "HTTP/1.1 503 No\r\n\r\n");
  else if (path === "/open") await write(conn, await switching(head));
  else await reader.bytes(1);
  conn.close();
}
const done = (async () => {
  for (let i = 0; i < 8; i++) serve(await listener.accept());
})();

const dial = (host, path, options) =>
  once(new WebSocket(`ws://${host}:${port}${path}`, options), "close");
const givenUp = new WebSocket(`ws://127.0.0.1:${port}/silent`);
givenUp.onclose = () => seen.push("given up");
const others = [
  dial("127.0.0.1", "/open", {}),
  dial("127.0.0.1", "/refused", {}),
  dial("127.0.0.1", "/late", { handshakeTimeout: 0.05 }),
  dial("127.0.0.1", "/open", {}),
  dial("localhost", "/open", {}),
  dial("127.0.0.1", "/refused", {}),
  dial("localhost", "/open", {}),
];
// One gives up in the line.
const inLine = new WebSocket(`ws://127.0.0.1:${port}/never`);
const left = once(inLine, "close");
inLine.close();
await left;
// The first is on the wire, and all others wait for it.
while (seen.length === 0) await new Promise((r) => setTimeout(r));
givenUp.close();
await Promise.all(others);
await done;
listener.close();
seen.sort();
assertEquals(seen, [
  "/open 1",
  "/open 1",
  "/open 1",
  "/open 1",
  "/refused 1",
  "/refused 1",
  "/silent 1",
  "given up",
]);
console.log("ok");
