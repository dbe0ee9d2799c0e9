// A server and its client, which a debugger watches.
const server = Deno.serve(
  { hostname: "127.0.0.1", port: 0, onListen() {} },
  (request) => {
    const { socket, response } = Deno.upgradeWebSocket(request, {
      protocol: "chat",
      headers: { "x-own": "of the server" },
    });
    socket.onmessage = ({ data }) => socket.send(data);
    return response;
  },
);
const url = `ws://127.0.0.1:${server.addr.port}`;
const once = (socket, name) =>
  new Promise((resolve) =>
    socket.addEventListener(name, resolve, { once: true })
  );
const socket = new WebSocket(`${url}/path?query`, {
  protocols: ["chat"],
  headers: { "x-own": "of the client" },
  perMessageDeflate: false,
});
socket.binaryType = "arraybuffer";
await once(socket, "open");
socket.send("é");
await once(socket, "message");
const answered = once(socket, "pong");
socket.ping("p");
await answered;
socket.send(new Uint8Array(70_000));
await once(socket, "message");
socket.close(1000, "bye");
await once(socket, "close");
await server.shutdown();
const refused = new WebSocket(`${url}/refused`);
refused.onerror = () => {};
await once(refused, "close");
console.log("ended");
// For the debugger, which is told of it meanwhile.
setInterval(() => {}, 1000);
