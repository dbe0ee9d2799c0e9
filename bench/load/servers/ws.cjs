// The server as the manual of ws writes it, for Node.js: `ws.cjs echo|loop`.
const { WebSocketServer } = require(process.env.WS_MODULE ?? "ws");
const kind = process.argv[2];
const server = new WebSocketServer({ host: "127.0.0.1", port: 0 });

server.on("listening", () => console.log(server.address().port));
server.on("connection", (ws) => {
  ws.on("error", console.error);
  ws.on("message", (data, binary) => {
    if (kind === "loop") {
      for (const client of server.clients) client.send(data, { binary });
    } else {
      ws.send(data, { binary });
    }
  });
});
