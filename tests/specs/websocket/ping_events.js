// flags: --allow-net
// deno: there is no ping()
// ping(), pong() and their events, on both ends.
import { assert, assertEquals, assertThrows, once } from "../_assert.js";
import { serveSockets } from "../_server.js";

const accepted = Promise.withResolvers();
const server = serveSockets((socket) => accepted.resolve(socket));
const client = new WebSocket(server.url);
assertThrows(() => client.ping(), "InvalidStateError");
await once(client, "open");
const socket = await accepted.promise;

const text = (event) => new TextDecoder().decode(event.data);
for (const [a, b] of [[client, socket], [socket, client]]) {
  const pinged = once(b, "ping");
  const ponged = once(a, "pong");
  assertEquals(a.ping("hello"), 5);
  const ping = await pinged;
  assertEquals(text(ping), "hello");
  assert(ping instanceof MessageEvent && ping.data instanceof ArrayBuffer);
  assert(ping.isTrusted);
  assertEquals(text(await ponged), "hello");

  // A pong that nobody asked for is none of a ping.
  const unasked = once(b, "pong");
  b.onping = () => {
    throw new Error("no ping");
  };
  assertEquals(a.pong(new Uint8Array([1, 2]).buffer), 2);
  assertEquals((await unasked).data, new Uint8Array([1, 2]).buffer);
  b.onping = null;

  let handled = 0;
  a.onpong = () => handled++;
  const again = once(a, "pong");
  assertEquals(a.ping(), 1);
  assertEquals((await again).data.byteLength, 0);
  assertEquals(handled, 1);

  assertEquals(a.ping("x".repeat(125)), 125);
  assertThrows(() => a.ping("x".repeat(126)), "RangeError", "125 bytes");
  assertThrows(() => a.pong(new Uint8Array(126)), "RangeError", "125 bytes");
  assertThrows(() => a.ping(new Blob(["a"])), "TypeError", "string or bytes");
}
client.close();
assertEquals(client.ping(), 0);
await once(client, "close");
assertEquals(client.pong(), 0);
await server.stop();
console.log("ok");
