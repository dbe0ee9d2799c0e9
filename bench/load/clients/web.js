// A client with the Web's WebSocket, for duplex, Deno and Bun: `web.js URL CONNECTIONS`.
const [url, connections] = globalThis.Bun ? Bun.argv.slice(2) : Deno.args;

for (let index = 0; index < Number(connections); index++) {
  const socket = new WebSocket(url);
  socket.binaryType = "arraybuffer";
  socket.onmessage = (event) => socket.send(event.data);
  socket.onerror = (event) => console.error(event.message);
}
