// An echo server that prints the port, and then for each request its host and
// whence it came.

const server = Deno.serve({
  hostname: "127.0.0.1",
  port: 0,
  onListen() {},
}, (request, { remoteAddr }) => {
  console.log("request", new URL(request.url).hostname, remoteAddr.hostname);
  const { socket, response } = Deno.upgradeWebSocket(request);
  socket.onmessage = ({ data }) => socket.send(data);
  return response;
});
console.log("listening", server.addr.port);
