// The same with Socket.IO and its Redis adapter.
const { createServer } = require("node:http");
const { createAdapter } = require("@socket.io/redis-adapter");
const { createClient } = require("redis");
const { Server } = require("socket.io");

(async () => {
  const publisher = createClient({ url: process.argv[2] });
  const subscriber = publisher.duplicate();
  await Promise.all([publisher.connect(), subscriber.connect()]);
  const http = createServer((_request, response) => response.end());
  const io = new Server(http, {
    adapter: createAdapter(publisher, subscriber),
  });
  io.on("connection", (socket) => {
    socket.join("room");
    socket.on("p", (text) => io.to("room").emit("p", text));
  });
  http.listen(0, "127.0.0.1", () => console.log("port", http.address().port));
})();
