// What the client measures: a socket learns which event loop it is on, subscribes, and publishes.
const loop = crypto.randomUUID();
const TEXT = "0123456789".repeat(4);

export default {
  onListen: ({ port }) => console.log("port", port),
  fetch(request, server) {
    if (server.upgrade(request)) return;
    return new Response("This is a WebSocket server.\n", { status: 426 });
  },
  websocket: {
    open: (ws) => ws.send(loop),
    message(ws, text) {
      const [what, topic, count] = text.split(" ");
      if (what === "subscribe") {
        ws.subscribe(topic);
        ws.send("subscribed");
      } else {
        for (let i = 0; i < Number(count); i++) ws.publish(topic, TEXT);
      }
    },
  },
};
