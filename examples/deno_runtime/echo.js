// A server and a client: `deno_runtime_example examples/deno_runtime/echo.js`.

const server = Deno.serve({ port: 0, onListen() {} }, (request) => {
  const { response, socket } = Deno.upgradeWebSocket(request);
  socket.onmessage = ({ data }) => socket.send(data);
  return response;
});

const client = new WebSocket(`ws://127.0.0.1:${server.addr.port}/`);
client.onopen = () => client.send("hello");
client.onmessage = ({ data }) => {
  console.log(
    data,
    "from",
    "ping" in client ? "duplex" : "Deno's own WebSocket",
  );
  client.close();
};
client.onclose = () => server.shutdown();
