// Shuts down when a client asks for it, and tells how its sockets ended.

const [closeTimeout] = Deno.args;
const ends = {};
let count = 0;

const server = Deno.serve({
  hostname: "127.0.0.1",
  port: 0,
  onListen: ({ port }) => console.log(`listening ${port}`),
  fetch(request, info) {
    if (!info.upgrade(request)) return new Response("no handshake");
  },
  websocket: {
    idleTimeout: 0,
    closeTimeout: Number(closeTimeout),
    open() {
      count++;
    },
    message(ws, data) {
      if (data === "count") ws.send(`${count}`);
      if (data === "shutdown") {
        server.shutdown().then(() => console.log("shut down"));
      }
    },
    close(_ws, code) {
      ends[code] = (ends[code] ?? 0) + 1;
    },
  },
});
await server.finished;
console.log(`ends ${JSON.stringify(ends)}`);
