// Two of these on a broker: what a client sends goes to the subscribers of both.
let server;
export default {
  onListen: ({ port }) => console.log("port", port),
  topics: { prefix: "bench" },
  async fetch(request, info) {
    server = info;
    if (info.upgrade(request)) return;
    await info.flush();
    return new Response();
  },
  websocket: {
    open: (ws) => void ws.subscribe("room"),
    message: (_ws, text) => void server.publish("room", text),
  },
};
