// The server that the fuzzing client tests: echoes every message. No idle timeout:
// its pings are not among what the suite expects to receive.

Deno.serve({
  hostname: "127.0.0.1",
  port: 0,
  onListen: ({ port }) => console.log(`listening ${port}`),
}, (request) => {
  const { socket, response } = Deno.upgradeWebSocket(request, {
    idleTimeout: 0,
    perMessageDeflate: true,
  });
  socket.binaryType = "arraybuffer";
  socket.onmessage = ({ data }) => socket.send(data);
  return response;
});
