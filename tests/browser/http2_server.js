// A page over TLS, and sockets that echo, on the page's connection where it is
// one of HTTP/2: `http2_server.js CERTIFICATE KEY`.

const [cert, key] = Deno.args.map((path) => Deno.readTextFileSync(path));

Deno.serve({
  hostname: "127.0.0.1",
  port: 0,
  cert,
  key,
  onListen: ({ port }) => console.log(`listening ${port}`),
}, (request) => {
  if (request.headers.get("upgrade") !== "websocket") {
    return new Response("<!DOCTYPE html><title>HTTP/2</title>", {
      headers: { "content-type": "text/html" },
    });
  }
  // Only HTTP/1.1 has a key (RFC 8441 section 5).
  const version = request.headers.has("sec-websocket-key") ? "1.1" : "2";
  const { socket, response } = Deno.upgradeWebSocket(request);
  socket.onopen = () => console.log(`opened over HTTP/${version}`);
  socket.onmessage = ({ data }) => socket.send(data);
  socket.onclose = ({ code }) => console.log(`closed ${code}`);
  return response;
});
