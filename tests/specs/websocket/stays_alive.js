// flags: --allow-net
// stdout: open
// stdout: message later
// stdout: close 1000
// An open socket keeps the script running, a closed one does not.
const server = Deno.serve({ port: 0, onListen() {} }, (request) => {
  const { socket, response } = Deno.upgradeWebSocket(request);
  socket.onopen = () => setTimeout(() => socket.send("later"), 50);
  socket.onmessage = () => socket.close(1000);
  return response;
});
const socket = new WebSocket(`ws://127.0.0.1:${server.addr.port}/`);
socket.onopen = () => console.log("open");
socket.onmessage = ({ data }) => {
  console.log(`message ${data}`);
  socket.send("thanks");
};
socket.onclose = ({ code }) => {
  console.log(`close ${code}`);
  server.shutdown();
};
