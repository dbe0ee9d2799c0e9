// flags: --allow-net=127.0.0.1
// deno: closes with code 0
// A server in a worker. When the worker ends, its sockets and its listener do.
import { assertEquals, once } from "../_assert.js";
import { echoServer, inline, received } from "../_worker.js";

for (const end of ["terminate", "close", "busy"]) {
  const worker = inline(`
    ${echoServer}
    onmessage = ({ data }) => { if (data === "close") close(); else for (;;); };
  `);
  const url = `ws://127.0.0.1:${await received(worker)}/`;
  const sockets = [];
  for (let i = 0; i < 10; i++) {
    const socket = new WebSocket(url);
    await once(socket, "open");
    socket.onerror = () => {};
    socket.send(`message ${i}`);
    assertEquals(await received(socket), `message ${i}`);
    sockets.push(socket);
  }
  const closed = Promise.all(sockets.map((socket) => once(socket, "close")));
  if (end !== "terminate") worker.postMessage(end);
  if (end !== "close") worker.terminate();
  for (const { code, wasClean } of await closed) {
    assertEquals([code, wasClean], [1006, false], end);
  }
  const refused = new WebSocket(url);
  refused.onerror = () => {};
  assertEquals((await once(refused, "close")).code, 1006);
}
console.log("ok");
