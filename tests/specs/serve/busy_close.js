// flags: --allow-net --allow-read
// A script that is busy for longer than closeTimeout after close() sees the end as its peer does.
import { assertEquals, once } from "../_assert.js";

const accepted = Promise.withResolvers();
const server = Deno.serve(
  { hostname: "127.0.0.1", port: 0, onListen() {} },
  (request) => {
    const { socket, response } = Deno.upgradeWebSocket(request, {
      closeTimeout: 0.2,
    });
    socket.onopen = () => {
      socket.send("important");
      socket.close(1000, "bye");
      const end = performance.now() + 500;
      while (performance.now() < end);
    };
    accepted.resolve(socket);
    return response;
  },
);
// On another thread, which answers meanwhile.
const code = `
  const socket = new WebSocket("ws://127.0.0.1:${server.addr.port}/");
  socket.onmessage = ({ data }) => postMessage(data);
  socket.onclose = ({ code, wasClean }) => postMessage([code, wasClean]);
`;
const url = `data:text/javascript,${encodeURIComponent(code)}`;
const worker = new Worker(url, { type: "module" });
const heard = [];
worker.onmessage = ({ data }) => heard.push(data);
const { code: closed, wasClean } = await once(await accepted.promise, "close");
assertEquals([closed, wasClean], [1000, true]);
while (heard.length < 2) await once(worker, "message");
assertEquals(heard, ["important", [1000, true]]);
worker.terminate();
await server.shutdown();
console.log("ok");
