// The server as Deno's manual writes it, for duplex and Deno:
// `deno.js echo|deflate|deflate-alone|stream|loop|topic [FOLDER of cert.pem and key.pem]`.
const [kind, folder] = Deno.args;
const sockets = new Set();

const options = {
  hostname: "127.0.0.1",
  port: 0,
  onListen: ({ port }) => console.log(port),
};
if (folder !== undefined) {
  options.cert = Deno.readTextFileSync(`${folder}/cert.pem`);
  options.key = Deno.readTextFileSync(`${folder}/key.pem`);
}

const kinds = {
  echo(socket) {
    socket.onmessage = (event) => socket.send(event.data);
  },
  loop(socket) {
    sockets.add(socket);
    socket.onmessage = (event) => {
      for (const other of sockets) other.send(event.data);
    };
    socket.onclose = () => sockets.delete(socket);
  },
  topic(socket) {
    socket.onopen = () => socket.subscribe("all");
    // A socket's own publish() leaves the socket out.
    socket.onmessage = (event) => {
      socket.send(event.data);
      socket.publish("all", event.data);
    };
  },
};

if (kind === "stream") {
  Deno.serve(options, (request) => {
    const { stream, response } = Deno.upgradeWebSocketStream(request);
    stream.opened.then(({ readable, writable }) => readable.pipeTo(writable))
      .catch(() => {});
    return response;
  });
} else {
  const open = kinds[kind] ?? kinds.echo;
  const perMessageDeflate = {
    "deflate": true,
    "deflate-alone": {
      serverNoContextTakeover: true,
      clientNoContextTakeover: true,
    },
  }[kind];
  // Who only listens is not to be pinged while it is measured.
  const listens = kind === "loop" || kind === "topic";
  const upgrade = { perMessageDeflate, ...(listens && { idleTimeout: 0 }) };
  Deno.serve(options, (request) => {
    const { socket, response } = Deno.upgradeWebSocket(request, upgrade);
    socket.binaryType = "arraybuffer";
    open(socket);
    return response;
  });
}
