// Uses of what `duplex types` declares, and misuses that must not pass.

// As the head of the declarations says.
declare const WebSocket: Deno.WebSocketConstructor;

const CERT = "";
const KEY = "";

// Clients.

const client = Deno.createHttpClient({
  caCerts: [CERT],
  proxy: {
    url: "socks5://localhost:1080",
    basicAuth: { username: "a", password: "b" },
  },
  http2: false,
  cert: CERT,
  key: KEY,
  keyFormat: "pem",
  localAddress: "127.0.0.1",
});
Deno.createHttpClient({ proxy: { transport: "unix", path: "/run/proxy.sock" } })
  .close();
Deno.createHttpClient({
  // @ts-expect-error a unix socket has a path
  proxy: { transport: "unix", url: "http://localhost" },
});
// @ts-expect-error clients come from createHttpClient
new Deno.HttpClient();

const socket: WebSocket = new WebSocket("wss://localhost/", {
  protocols: ["chat", "v2.chat"],
  headers: { authorization: "Bearer 1" },
  client,
  perMessageDeflate: {
    threshold: 1024,
    level: 9,
    clientNoContextTakeover: true,
  },
  maxPayloadLength: 1 << 20,
  maxFragments: 100,
  maxControlFrames: 10,
  backpressureLimit: 1 << 20,
  connectTimeout: 1.5,
  handshakeTimeout: 5,
  closeTimeout: 0,
});
new WebSocket("ws://localhost/");
new WebSocket(new URL("ws://localhost/"), "chat");
new WebSocket("ws://localhost/", ["chat"]);
// @ts-expect-error only servers have it
new WebSocket("ws://localhost/", { idleTimeout: 1 });
// @ts-expect-error it is a number of seconds
new WebSocket("ws://localhost/", { connectTimeout: "1s" });

socket.send("text");
// @ts-expect-error a client's says nothing
const _taken: number = socket.send("text");
socket.ondrain = (event) => event.stopPropagation();
socket.send(new Uint8Array(1));
socket.send(new Uint8Array(1).buffer);
socket.send(new SharedArrayBuffer(1));
socket.send(new Blob(["blob"]));
// @ts-expect-error not a message
socket.send(1);
const pinged: number = socket.ping() + socket.ping("data") +
  socket.pong(new Uint8Array(125));
// @ts-expect-error a ping has a string or bytes
socket.ping(5);
socket.onping = ({ data }) => data.byteLength;
socket.onpong = function ({ data }) {
  this.send(data);
};
socket.addEventListener("pong", ({ data }) => data.slice(1));
socket.addEventListener("drain", () => {});
// @ts-expect-error the data of a ping is an ArrayBuffer
socket.addEventListener("ping", ({ data }) => data.trim());
socket.onclose = (
  { code, reason, wasClean }: CloseEvent,
) => [code, reason, wasClean];
socket.terminate();
socket.ref();
socket.unref();
// @ts-expect-error only a server's sockets have topics
socket.subscribe("topic");

// Streams.

const aborter = new AbortController();
const stream = new WebSocketStream("wss://localhost/", {
  protocols: ["chat"],
  signal: aborter.signal,
  client,
  connectTimeout: 1,
});
// @ts-expect-error protocols are a list
new WebSocketStream("wss://localhost/", { protocols: "chat" });
const { readable, writable, protocol, extensions } = await stream.opened;
const writer = writable.getWriter();
for await (const message of readable) {
  if (typeof message === "string") {
    await writer.write(message.toUpperCase());
  } else {
    await writer.write(message.subarray(1));
  }
}
// @ts-expect-error not a message
await writer.write(1);
stream.close({ closeCode: 3000, reason: "done" });
const { closeCode, reason } = await stream.closed;
const end: [number, string] = [closeCode, reason];
try {
  await writable.abort(new WebSocketError("stop", { closeCode: 3001 }));
} catch (error) {
  if (error instanceof WebSocketError) {
    const code: number | null = error.closeCode;
    console.log(code, error.reason, error.name);
  }
}

// Servers.

const upgradeOptions: Deno.UpgradeWebSocketOptions = {
  protocol: "chat",
  headers: new Headers(),
  idleTimeout: 0,
  sendPings: false,
  perMessageDeflate: true,
  maxPayloadLength: 1,
  maxFragments: 1,
  maxControlFrames: 1,
  backpressureLimit: 1,
  closeOnBackpressureLimit: true,
  handshakeTimeout: 1,
  closeTimeout: 1,
};
// @ts-expect-error only clients connect
const _connects: Deno.UpgradeWebSocketOptions = { connectTimeout: 1 };

const server: Deno.HttpServer = Deno.serve({
  port: 0,
  hostname: "localhost",
  reusePort: true,
  tcpBacklog: 10,
  cert: CERT,
  key: KEY,
  maxHeaderSize: 8192,
  signal: aborter.signal,
  onListen: ({ hostname, port }) => console.log(hostname, port),
  onError: (error) => new Response(String(error), { status: 500 }),
}, async (request, info) => {
  if (request.url.endsWith("/stream")) {
    const { stream, response } = Deno.upgradeWebSocketStream(
      request,
      upgradeOptions,
    );
    stream.opened.then(({ readable, writable }) => readable.pipeTo(writable));
    return response;
  }
  const { socket, response } = Deno.upgradeWebSocket(request, upgradeOptions);
  const { transport } = socket.remoteAddr;
  const changed: boolean = socket.subscribe("room") &&
    socket.unsubscribe("room");
  const result: number = socket.publish("room", `${transport} ${changed}`);
  const topics: string[] = socket.isSubscribed("room")
    ? socket.subscriptions
    : [];
  socket.onmessage = ({ data }) => socket.send(data);
  console.log(result, topics, info.remoteAddr.port, await info.completed);
  // @ts-expect-error it is read only
  socket.remoteAddr = { transport: "tcp", hostname: "", port: 1 };
  return response;
});
server.publish("room", new Uint8Array(1));
console.log(server.addr.port, server.subscriberCount("room"));
server.ref();
server.unref();
await server.shutdown();
await server.finished;
{
  await using unix = Deno.serve({ path: "/tmp/socket" }, () => new Response());
  const path: string = unix.addr.path;
  console.log(path);
}
Deno.serve(() => new Response());
Deno.serve((request, { remoteAddr }) =>
  Response.json([request.url, remoteAddr.hostname])
);
Deno.serve({ handler: (_request) => new Response() });
Deno.serve({
  path: "/tmp/socket",
  handler: (_, info) => new Response(info.remoteAddr.path),
});
Deno.serve({ fetch: (_, info) => new Response(info.remoteAddr.hostname) });
// @ts-expect-error there are no handlers of sockets
Deno.serve({ fetch: (request, info) => info.upgrade(request) });
// @ts-expect-error a handler answers
Deno.serve(() => 1);
// @ts-expect-error there is no handler
Deno.serve({ port: 1 });
// @ts-expect-error upgrade() is that of the form with handlers
Deno.serve({ handler: (request, info) => info.upgrade(request) });

// The form with handlers of sockets.

interface User {
  name: string;
}

const chat = Deno.serve<User>({
  port: 8000,
  async fetch(request, info) {
    const name = await Promise.resolve("guest");
    if (
      info.upgrade(request, {
        data: { name },
        headers: { a: "b" },
        protocol: "chat",
      })
    ) {
      return;
    }
    return new Response(
      `${info.remoteAddr.hostname} ${info.subscriberCount("room")}`,
    );
  },
  websocket: {
    open(ws) {
      ws.subscribe("room");
      ws.data = { name: ws.data.name.trim() };
    },
    message(ws, data) {
      if (typeof data === "string") {
        ws.publish("room", `${ws.data.name}: ${data}`);
      } else {
        ws.send(new Uint8Array(data));
      }
    },
    drain: (ws) => ws.bufferedAmount,
    close(ws, code, reason) {
      console.log(ws.data.name, code + 1, reason.trim());
    },
    ping: (ws, data) => ws.pong(data),
    pong: (_ws, data) => data.byteLength,
    error: async (_ws, error) =>
      console.error(await Promise.resolve(error.message)),
    idleTimeout: 10,
    perMessageDeflate: true,
    backpressureLimit: 1024,
  },
});
chat.publish("room", "text");
chat.upgrade(new Request("http://localhost/"), { data: { name: "a" } });
// @ts-expect-error these sockets have data
chat.upgrade(new Request("http://localhost/"));
// @ts-expect-error of another type
chat.upgrade(new Request("http://localhost/"), { data: { name: 1 } });
chat satisfies Deno.HttpServer;

Deno.serve({
  fetch(request, info) {
    if (!info.upgrade(request)) return new Response("no handshake");
  },
  websocket: {
    message: (ws, data) => ws.send(data),
    open(ws) {
      // @ts-expect-error these sockets have none
      console.log(ws.data.name);
    },
  },
});
Deno.serve({
  fetch: () => new Response(),
  // @ts-expect-error the protocol is an option of upgrade()
  websocket: { protocol: "chat" },
});
Deno.serve({
  fetch: () => new Response(),
  // @ts-expect-error no event of sockets
  websocket: { connect() {} },
});

export default {
  port: 8000,
  hostname: "127.0.0.1",
  fetch(request, info) {
    if (info.upgrade(request)) return;
    return new Response("hello");
  },
  websocket: { message: (ws, data) => ws.send(data) },
} satisfies Deno.ServeDefaultExport;
// @ts-expect-error it has to answer requests
({ port: 8000 }) satisfies Deno.ServeDefaultExport;
({
  path: "/tmp/socket",
  fetch: (_, { remoteAddr }) => new Response(remoteAddr.path),
}) satisfies Deno.ServeDefaultExport<undefined, Deno.UnixAddr>;

// The old way.

for await (const conn of Deno.listen({ port: 0 })) {
  // deno-lint-ignore no-deprecated-deno-api
  const http = Deno.serveHttp(conn);
  for await (const { request, respondWith } of http) {
    await respondWith(new Response(request.url));
  }
  const next: Deno.RequestEvent | null = await http.nextRequest();
  next?.respondWith(Promise.resolve(new Response()));
  http.close();
}

// Around it.

await fetch("https://localhost/", { client });
new Worker(import.meta.resolve("./worker.js"), {
  type: "module",
  deno: { permissions: { net: ["localhost:8000"], read: false } },
});
const meta: [string, boolean, string?, string?] = [
  import.meta.url,
  import.meta.main,
  import.meta.filename,
  import.meta.dirname,
];
Deno.addSignalListener("SIGTERM", () => Deno.exit(0));
const conn = await Deno.connectTls({
  hostname: "localhost",
  port: 443,
  alpnProtocols: ["h2"],
});
const { alpnProtocol } = await conn.handshake();
const read: number | null = await conn.read(new Uint8Array(1));
using listener = Deno.listen({ transport: "unix", path: "/tmp/socket" });
const path: string = listener.addr.path;
const [first] = await Deno.resolveDns("localhost", "MX");
const text: string = await Deno.readTextFile(new URL("file:///a"));
const entries = await Array.fromAsync(Deno.readDir("."));
using file = Deno.openSync("file", { write: true, create: true });
file.seekSync(0, Deno.SeekMode.End);
const { state } = await Deno.permissions.query({
  name: "net",
  host: "localhost",
});
// @ts-expect-error there is no such permission
await Deno.permissions.query({ name: "fly" });
Deno.exitCode = Deno.args.length;
try {
  Deno.listen({ port: 80 });
} catch (error) {
  if (error instanceof Deno.errors.AddrInUse) {
    console.log(error.message);
  }
}
console.log(
  ...[pinged, protocol, extensions, end, meta, alpnProtocol, read, path, text],
  ...[
    first.exchange,
    entries[0].name,
    state,
    Deno.version.engine,
    Deno.build.os,
  ],
  Deno.env.get("HOME")?.length,
);
