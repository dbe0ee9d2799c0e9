// The servers that Deno's own tests of WebSockets talk to, at the ports of Deno's test server.
// Runs with duplex: `servers.js FOLDER`, where FOLDER has localhost.crt and localhost.key.
// Prints `ready`, and ends when standard input does.

const [folder] = Deno.args;
const cert = Deno.readTextFileSync(`${folder}/localhost.crt`);
const key = Deno.readTextFileSync(`${folder}/localhost.key`);

/** Serves sockets, each of which is handed to `onSocket`. */
function serve(options, onSocket) {
  Deno.serve(
    { hostname: "localhost", onListen() {}, ...options },
    (request) => {
      if (request.headers.get("user-agent") === null) {
        return new Response(null, { status: 400 });
      }
      const { response, socket } = Deno.upgradeWebSocket(request);
      onSocket(socket);
      return response;
    },
  );
}

function echo(socket) {
  socket.onmessage = ({ data }) => socket.send(data);
}

serve({ port: 4242 }, echo);
serve({ port: 4243, cert, key }, echo);
serve({ port: 4249, cert, key }, echo);
serve({ port: 4244 }, (socket) => socket.onopen = () => socket.close());

// Sends nine Pings, each followed by a text that is to come back, and closes.
serve({ port: 4245 }, (socket) => {
  let count = 0;
  socket.onopen = () => socket.ping();
  socket.onpong = () => socket.send(`hello ${count}`);
  socket.onmessage = ({ data }) => {
    if (data !== `hello ${count}`) {
      socket.close(4000, `unexpected: ${data}`);
    } else if (++count === 9) {
      socket.close(1000);
    } else {
      socket.ping();
    }
  };
});

// Never answers an opening handshake.
const mute = Deno.listen({ hostname: "localhost", port: 4264 });
(async () => {
  for await (const connection of mute) {
    connection.readable.pipeTo(new WritableStream()).catch(() => {});
  }
})();

// Says first whether the client lets a server of HTTP/2 push, and echoes then. The client's
// SETTINGS frame tells; it is read on the way to one of two servers.
const push = { rejected: 4267, allowed: 4268 };
for (const [word, port] of Object.entries(push)) {
  serve({ port, cert, key }, (socket) => {
    socket.onopen = () => socket.send(`push-${word}`);
    echo(socket);
  });
}
const front = Deno.listenTls({
  hostname: "localhost",
  port: 4266,
  cert,
  key,
  alpnProtocols: ["h2"],
});
(async () => {
  for await (const client of front) {
    forward(client).catch(() => {});
  }
})();

async function forward(client) {
  const first = await readSettings(client);
  const server = await Deno.connectTls({
    hostname: "localhost",
    port: letsPush(first) ? push.allowed : push.rejected,
    alpnProtocols: ["h2"],
    caCerts: [Deno.readTextFileSync(`${folder}/RootCA.pem`)],
  });
  const writer = server.writable.getWriter();
  await writer.write(first);
  writer.releaseLock();
  await Promise.all([
    client.readable.pipeTo(server.writable),
    server.readable.pipeTo(client.writable),
  ]);
}

/** The length of what a client of HTTP/2 sends first (RFC 9113 section 3.4). */
const PREFACE = 24;
const FRAME_HEADER = 9;

/** Reads on until the first SETTINGS frame is whole. */
async function readSettings(client) {
  const buffer = new Uint8Array(4096);
  let length = 0;
  const end = () =>
    PREFACE + FRAME_HEADER + (buffer[PREFACE + 1] << 8 | buffer[PREFACE + 2]);
  while (length < PREFACE + FRAME_HEADER || length < end()) {
    const count = await client.read(buffer.subarray(length));
    if (count === null) {
      throw new Error("the client has ended");
    }
    length += count;
  }
  return buffer.slice(0, length);
}

/** Whether SETTINGS_ENABLE_PUSH (RFC 9113 section 6.5.2) is 1, as it is by default. */
function letsPush(first) {
  const view = new DataView(first.buffer);
  const start = PREFACE + FRAME_HEADER;
  const end = start + view.getUint16(PREFACE + 1);
  let isAllowed = true;
  for (let at = start; at < end; at += 6) {
    if (view.getUint16(at) === 2) {
      isAllowed = view.getUint32(at + 2) === 1;
    }
  }
  return isAllowed;
}

// Has a client shake hands with the test's server and then neither read nor say anything.
const ghosts = [];
Deno.serve({ hostname: "localhost", port: 4545, onListen() {} }, async () => {
  const client = await Deno.connect({ hostname: "localhost", port: 4248 });
  ghosts.push(client);
  const lines = [
    "GET / HTTP/1.1",
    "Host: localhost",
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Key: x3JJHMbDL1EzLkh9GBhXDw==",
    "Sec-WebSocket-Version: 13",
    "\r\n",
  ];
  await client.write(new TextEncoder().encode(lines.join("\r\n")));
  await client.read(new Uint8Array(200));
  return new Response();
});

console.log("ready");
await Deno.stdin.readable.pipeTo(new WritableStream());
Deno.exit();
