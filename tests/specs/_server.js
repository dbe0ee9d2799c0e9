// A WebSocket server on a free port for specs about the client.

/** Serves `onsocket(socket)`; `stop` ends it. */
export function serveSockets(onsocket, options = {}) {
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    (request) => {
      const { socket, response } = Deno.upgradeWebSocket(request, options);
      onsocket(socket);
      return response;
    },
  );
  return {
    url: `ws://127.0.0.1:${server.addr.port}/`,
    port: server.addr.port,
    stop: () => server.shutdown(),
  };
}

/** A server that sends back what it gets. */
export function serveEcho(options) {
  return serveSockets((socket) => {
    socket.binaryType = "arraybuffer";
    socket.onmessage = (event) => socket.send(event.data);
  }, options);
}
