// The server as the manual of ws writes it, for Node.js:
// `ws.cjs echo|deflate|deflate-alone|loop [FOLDER of cert.pem and key.pem]`.
const { readFileSync } = require("node:fs");
const http = require("node:http");
const https = require("node:https");
const { WebSocketServer } = require("ws");
const [kind, folder] = process.argv.slice(2);

const server = folder === undefined ? http.createServer() : https.createServer({
  cert: readFileSync(`${folder}/cert.pem`),
  key: readFileSync(`${folder}/key.pem`),
});
const perMessageDeflate = {
  "deflate": { threshold: 0 },
  "deflate-alone": {
    threshold: 0,
    serverNoContextTakeover: true,
    clientNoContextTakeover: true,
  },
}[kind];
const webSockets = new WebSocketServer({ server, perMessageDeflate });

webSockets.on("connection", (ws) => {
  ws.on("error", console.error);
  ws.on("message", (data, binary) => {
    if (kind === "loop") {
      for (const client of webSockets.clients) client.send(data, { binary });
    } else {
      ws.send(data, { binary });
    }
  });
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
