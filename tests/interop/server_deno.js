// The server in duplex and in Deno, which leaves the option unread: the same
// script for both.
import { perMessageDeflate } from "./client.js";

const compression = { perMessageDeflate: perMessageDeflate(Deno.args[0]) };
Deno.serve({
  hostname: "127.0.0.1",
  port: 0,
  onListen: ({ port }) => console.log(`listening ${port}`),
}, (request) => {
  const offered = request.headers.get("sec-websocket-protocol") ?? "";
  const protocol = offered.split(/\s*,\s*/).includes("duplex.test")
    ? "duplex.test"
    : undefined;
  const { socket, response } = Deno.upgradeWebSocket(request, {
    protocol,
    ...compression,
  });
  socket.binaryType = "arraybuffer";
  socket.onmessage = ({ data }) => {
    const order = /^close (\d+) (.*)$/.exec(data);
    if (order) socket.close(Number(order[1]), order[2]);
    else socket.send(data);
  };
  socket.onclose = ({ code, reason }) => {
    console.log(`closed ${code} ${reason}`);
  };
  socket.onerror = (event) => console.log(`failed ${event.message}`);
  return response;
});
