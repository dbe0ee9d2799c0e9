// The server as Bun's manual writes it: `bun.js echo|deflate|deflate-alone|loop|topic [FOLDER of cert.pem and key.pem]`.
const [kind, folder] = process.argv.slice(2);
const sockets = new Set();

const kinds = {
  echo: { message: (ws, data) => ws.send(data) },
  "deflate": {
    message: (ws, data) => ws.send(data, true),
    perMessageDeflate: { compress: "dedicated", decompress: "dedicated" },
  },
  "deflate-alone": {
    message: (ws, data) => ws.send(data, true),
    perMessageDeflate: { compress: "shared", decompress: "shared" },
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

const server = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  tls: folder &&
    {
      cert: Bun.file(`${folder}/cert.pem`),
      key: Bun.file(`${folder}/key.pem`),
    },
  fetch(request, server) {
    if (server.upgrade(request)) return;
    return new Response("This is a WebSocket server.\n", { status: 426 });
  },
  websocket: kinds[kind],
});
console.log(server.port);
