// A script that does not come back for a while, and then tells everybody.

const [idleTimeout, seconds] = Deno.args.map(Number);

const server = Deno.serve({
  hostname: "127.0.0.1",
  port: 0,
  onListen: ({ port }) => console.log(`listening ${port}`),
  fetch: (request, info) => void info.upgrade(request),
  websocket: {
    idleTimeout,
    open(ws) {
      ws.subscribe("all");
    },
    message(ws, data) {
      if (data !== "block") {
        ws.send(data);
        return;
      }
      const end = performance.now() + seconds * 1000;
      while (performance.now() < end);
      server.publish("all", "unblocked");
    },
    close(_ws, code, reason) {
      console.log(`closed ${code} ${reason}`);
    },
  },
});
