// engine: v8
// flags: --allow-net --v8-flags=--expose-gc
// A socket that can still get events lives without a reference to it; one that
// has closed does not.
import { assertEquals } from "../_assert.js";
import { serveSockets } from "../_server.js";

const { gc } = globalThis;
const peers = [];
const server = serveSockets((peer) => {
  peer.onopen = () => peers.push(peer);
});

const connecting = Promise.withResolvers();
const heard = Promise.withResolvers();
const closed = Promise.withResolvers();
let weak;
(function open() {
  const socket = new WebSocket(server.url);
  socket.onopen = () => connecting.resolve();
  socket.onmessage = (event) => heard.resolve(event.data);
  socket.onclose = (event) => closed.resolve(event.code);
  weak = new WeakRef(socket);
})();
gc();
await connecting.promise;
gc();
while (peers.length === 0) await new Promise((resolve) => setTimeout(resolve));
peers[0].send("still there?");
assertEquals(await heard.promise, "still there?");
gc();
peers.pop().close(3000);
assertEquals(await closed.promise, 3000);
// The weak reference keeps its target until the turn is over.
for (let i = 0; weak.deref() !== undefined; i++) {
  if (i === 100) throw new Error("a closed socket is not collected");
  await new Promise((resolve) => setTimeout(resolve));
  gc();
}
await server.stop();
console.log("ok");
