// The smallest pair of a page and a server: the page says "ping" every second,
// the server answers "pong".
//
//   cd examples/ping
//   duplex run --allow-net=0.0.0.0:8000 --allow-read=./index.html main.js
//
// Then open http://127.0.0.1:8000/.

Deno.serve({
  port: Number(Deno.args[0] ?? 8000),
  handler: async (request) => {
    // A page's `new WebSocket` comes as a request that asks to be upgraded.
    if (request.headers.get("upgrade") === "websocket") {
      const { socket, response } = Deno.upgradeWebSocket(request);
      socket.onopen = () => console.log("connected");
      socket.onmessage = (event) => {
        console.log(`received ${event.data}`);
        socket.send("pong");
      };
      socket.onclose = () => console.log("disconnected");
      socket.onerror = (event) => console.error("failed:", event.message);
      return response;
    }

    // Everything else gets the page, as it is read from the disk.
    const file = await Deno.open("./index.html", { read: true });
    return new Response(file.readable);
  },
});
