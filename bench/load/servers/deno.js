// The server as Deno's manual writes it, for duplex and Deno: `deno.js echo|loop|topic`.
const kind = Deno.args[0];
const sockets = new Set();

function open(socket) {
  socket.binaryType = "arraybuffer";
  switch (kind) {
    case "echo":
      socket.onmessage = (event) => socket.send(event.data);
      break;
    case "loop":
      sockets.add(socket);
      socket.onmessage = (event) => {
        for (const other of sockets) other.send(event.data);
      };
      socket.onclose = () => sockets.delete(socket);
      break;
    case "topic":
      socket.onopen = () => socket.subscribe("all");
      socket.onmessage = (event) => {
        socket.send(event.data);
        socket.publish("all", event.data);
      };
      break;
    default:
      throw new TypeError(`no server of the kind ${kind}`);
  }
}

Deno.serve({
  hostname: "127.0.0.1",
  port: 0,
  onListen: ({ port }) => console.log(port),
}, (request) => {
  const { socket, response } = Deno.upgradeWebSocket(request);
  open(socket);
  return response;
});
