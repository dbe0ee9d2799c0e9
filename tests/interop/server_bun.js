// A dedicated compressor takes its context over, a shared one can not.
const perMessageDeflate = {
  "uncompressed": false,
  "takeover": { compress: "dedicated", decompress: "dedicated" },
  "no takeover": { compress: "shared", decompress: "shared" },
}[process.argv[2]];

const server = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  fetch(request, server) {
    const offered = request.headers.get("sec-websocket-protocol") ?? "";
    const headers = offered.split(/\s*,\s*/).includes("duplex.test")
      ? { "sec-websocket-protocol": "duplex.test" }
      : {};
    if (server.upgrade(request, { headers })) return undefined;
    return new Response("a WebSocket server", { status: 426 });
  },
  websocket: {
    maxPayloadLength: 1 << 24,
    perMessageDeflate,
    message(socket, data) {
      const order = /^close (\d+) (.*)$/.exec(data);
      if (order) socket.close(Number(order[1]), order[2]);
      else if (data === "ping") socket.ping("server's");
      else socket.send(data, perMessageDeflate !== false);
    },
    pong(socket) {
      socket.send("ponged");
    },
    close(_socket, code, reason) {
      console.log(`closed ${code} ${reason}`);
    },
  },
});
console.log(`listening ${server.port}`);
