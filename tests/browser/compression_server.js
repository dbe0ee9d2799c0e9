// An empty page, and sockets that echo: with the contexts taken over from message
// to message at /takeover, without at /alone.

const modes = {
  "/takeover": true,
  "/alone": { serverNoContextTakeover: true, clientNoContextTakeover: true },
};

Deno.serve({
  hostname: "127.0.0.1",
  port: 0,
  onListen: ({ port }) => console.log(`listening ${port}`),
}, (request) => {
  const perMessageDeflate = modes[new URL(request.url).pathname];
  if (perMessageDeflate === undefined) {
    return new Response("<!DOCTYPE html><title>compression</title>", {
      headers: { "content-type": "text/html" },
    });
  }
  const { socket, response } = Deno.upgradeWebSocket(request, {
    perMessageDeflate,
  });
  socket.onmessage = ({ data }) => socket.send(data);
  return response;
});
