// flags: --allow-net=127.0.0.1
// deno: asks for --unstable-net
// Several workers serve one port, as a service does that is to use all cores.
import { assert, assertEquals, once } from "../_assert.js";
import { inline, received } from "../_worker.js";

const text = (port) => `
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: ${port}, reusePort: true, onListen() {} },
    (request) => {
      const { socket, response } = Deno.upgradeWebSocket(request);
      socket.onopen = () => socket.send(name);
      return response;
    },
  );
  postMessage(server.addr.port);
`;
const first = inline(text(0), { name: "0" });
const port = await received(first);
const workers = [first];
for (const name of ["1", "2"]) {
  const worker = inline(text(port), { name });
  assertEquals(await received(worker), port);
  workers.push(worker);
}
// The kernel chooses who gets a connection; all of them do sooner or later.
const seen = new Set();
for (let i = 0; i < 1000 && seen.size < 3; i++) {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/`);
  seen.add((await once(socket, "message")).data);
  socket.close();
  await once(socket, "close");
}
assert(seen.size === 3, `only ${[...seen]}`);
for (const worker of workers) worker.terminate();
console.log("ok");
