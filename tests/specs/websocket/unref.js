// flags: --allow-net
// deno: there is no unref()
// stdout: open
// stdout: ref
// A socket that is unref'd does not keep the program going.
import { once } from "../_assert.js";

function serve(setUp) {
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    (request) => {
      const { socket, response } = Deno.upgradeWebSocket(request);
      socket.onclose = () => console.log("the server's end closed");
      setUp(socket);
      return response;
    },
  );
  server.unref();
  return `ws://127.0.0.1:${server.addr.port}/`;
}

const client = new WebSocket(
  // Before it is open as well.
  serve((socket) => socket.unref()),
);
client.onclose = () => console.log("the client's end closed");
await once(client, "open");
console.log("open");
client.unref();
client.ref();
client.unref();

// One that is ref'd again keeps it going.
const second = new WebSocket(serve((socket) => {
  socket.unref();
  socket.ref();
  socket.onmessage = () => {
    console.log("ref");
    socket.unref();
  };
}));
second.onopen = () => {
  second.send("");
  second.unref();
};
