// The server with duplex's handlers: `handlers.js echo|deflate|deflate-alone|loop|topic [FOLDER of cert.pem and key.pem]`.
const [kind, folder] = Deno.args;
const sockets = new Set();

const options = {
  hostname: "127.0.0.1",
  port: 0,
  onListen: ({ port }) => console.log(port),
};
if (folder !== undefined) {
  options.cert = Deno.readTextFileSync(`${folder}/cert.pem`);
  options.key = Deno.readTextFileSync(`${folder}/key.pem`);
}

const kinds = {
  echo: { message: (ws, data) => ws.send(data) },
  "deflate": { message: (ws, data) => ws.send(data), perMessageDeflate: true },
  "deflate-alone": {
    message: (ws, data) => ws.send(data),
    perMessageDeflate: {
      serverNoContextTakeover: true,
      clientNoContextTakeover: true,
    },
  },
  loop: {
    // Who only listens is not to be pinged while it is measured.
    idleTimeout: 0,
    open: (ws) => sockets.add(ws),
    message(_ws, data) {
      for (const ws of sockets) ws.send(data);
    },
    close: (ws) => sockets.delete(ws),
  },
  topic: {
    idleTimeout: 0,
    open: (ws) => ws.subscribe("all"),
    message: (_ws, data) => server.publish("all", data),
  },
};

const server = Deno.serve({
  ...options,
  fetch(request, info) {
    if (info.upgrade(request)) return;
    return new Response("This is a WebSocket server.\n", { status: 426 });
  },
  websocket: kinds[kind],
});
