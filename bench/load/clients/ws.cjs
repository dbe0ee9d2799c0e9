// A client with ws, for Node.js: `ws.cjs URL CONNECTIONS`.
const { WebSocket } = require("ws");
const [url, connections] = process.argv.slice(2);

for (let index = 0; index < Number(connections); index++) {
  const ws = new WebSocket(url, { perMessageDeflate: false });
  ws.on("error", console.error);
  ws.on("message", (data, binary) => ws.send(data, { binary }));
}
