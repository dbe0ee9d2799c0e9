// The same with Bun: its topics do not leave the process, so a script carries them to Redis and
// back.
const [url] = Bun.argv.slice(2);
const self = crypto.randomUUID();
const publisher = new Bun.RedisClient(url);
const subscriber = new Bun.RedisClient(url);
const server = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  fetch: (request, server) =>
    server.upgrade(request) ? undefined : new Response(),
  websocket: {
    open: (ws) => ws.subscribe("room"),
    message(_ws, text) {
      server.publish("room", text);
      publisher.publish("bench:room", self + text);
    },
  },
});
await subscriber.subscribe("bench:room", (message) => {
  if (!message.startsWith(self)) {
    server.publish("room", message.slice(self.length));
  }
});
console.log("port", server.port);
