// flags: --allow-net
// engine: v8
// That the runtime has V8 collect what long messages leave is nothing that a script sees: no
// realm has V8's function gc() for it, also none that starts meanwhile.
import { assert, assertEquals, once } from "../_assert.js";
import { serveSockets } from "../_server.js";

assert(!("gc" in globalThis));
const server = serveSockets((socket) => {
  const message = new Uint8Array(300_000);
  socket.onmessage = () => socket.send(message);
});
let received = 0;
const sockets = [];
for (let i = 0; i < 4; i++) {
  const socket = new WebSocket(server.url);
  await once(socket, "open");
  socket.onmessage = () => {
    received++;
    socket.send("more");
  };
  for (let j = 0; j < 8; j++) socket.send("more");
  sockets.push(socket);
}
const code = "self.postMessage(['gc' in self, typeof undefined])";
const url = `data:text/javascript,${encodeURIComponent(code)}`;
const start = async () => {
  for (let i = 0; i < 30; i++) {
    const worker = new Worker(url, { type: "module" });
    const { data } = await once(worker, "message");
    assertEquals(data, [false, "undefined"]);
    worker.terminate();
  }
};
await Promise.all([start(), start()]);
assert(received > 0);
for (const socket of sockets) socket.close();
await server.stop();
console.log("ok");
