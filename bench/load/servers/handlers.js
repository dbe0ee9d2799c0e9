// The server as duplex's handler object: `handlers.js echo|loop|topic`.
const kind = Deno.args[0];
const sockets = new Set();

const kinds = {
  echo: { message: (ws, data) => ws.send(data) },
  loop: {
    open: (ws) => sockets.add(ws),
    message(_ws, data) {
      for (const ws of sockets) ws.send(data);
    },
    close: (ws) => sockets.delete(ws),
  },
  topic: {
    open: (ws) => ws.subscribe("all"),
    message: (_ws, data) => server.publish("all", data),
  },
};

const server = Deno.serve({
  hostname: "127.0.0.1",
  port: 0,
  onListen: ({ port }) => console.log(port),
  fetch(request, info) {
    if (info.upgrade(request)) return;
    return new Response("This is a WebSocket server.\n", { status: 426 });
  },
  websocket: kinds[kind],
});
