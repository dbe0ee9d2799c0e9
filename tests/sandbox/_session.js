// A server and its clients, of each kind, from the first byte to the last: what both ends
// have of their own is used once. Needs `--allow-net=127.0.0.1`.

const once = (target, type) =>
  new Promise((resolve) => {
    target.addEventListener(type, resolve, { once: true });
  });

export async function run() {
  await events();
  await handlers();
  await streams();
}

async function events() {
  const server = Deno.serve({
    hostname: "127.0.0.1",
    port: 0,
    maxHeaderSize: 16384,
    onListen() {},
  }, async (request, info) => {
    if (new URL(request.url).pathname !== "/socket") {
      const body = await request.text();
      return Response.json({
        method: request.method,
        body,
        port: typeof info.remoteAddr.port,
        accept: request.headers.get("accept"),
      });
    }
    const { socket, response } = Deno.upgradeWebSocket(request, {
      protocol: "a",
      headers: { "x-a": "b" },
      idleTimeout: 5,
      perMessageDeflate: true,
      backpressureLimit: 1 << 20,
    });
    socket.binaryType = "arraybuffer";
    socket.onopen = () => {
      socket.subscribe("topic");
      socket.isSubscribed("topic");
      socket.ping("a");
      socket.pong(new Uint8Array(2));
      socket.publish("topic", "to nobody");
    };
    socket.onmessage = ({ data }) => {
      socket.send(data);
      server.publish("topic", "published");
      server.publish("topic", new Uint8Array(3));
      server.subscriberCount("topic");
    };
    socket.onclose = () => socket.unsubscribe("topic");
    return response;
  });
  const { port } = server.addr;
  await (await fetch(`http://127.0.0.1:${port}/`, {
    method: "POST",
    body: "text",
  })).json();
  const socket = new WebSocket(`ws://u:p%20@127.0.0.1:${port}/socket`, {
    protocols: ["a"],
    headers: { b: "c" },
  });
  await once(socket, "open");
  const values = [
    "text",
    "\ud800",
    "long ".repeat(20_000),
    new Uint8Array(4),
    new DataView(new ArrayBuffer(5)),
    new ArrayBuffer(6),
    new Blob(["blob"]),
  ];
  for (let i = 0; i < values.length; i++) {
    socket.send(values[i]);
    await once(socket, "message");
  }
  socket.ping();
  await once(socket, "pong");
  void (socket.bufferedAmount + socket.url + socket.extensions +
    socket.protocol);
  socket.close(3000, "done");
  await once(socket, "close");
  await server.shutdown();
}

async function handlers() {
  const server = Deno.serve({
    hostname: "127.0.0.1",
    port: 0,
    onListen() {},
    fetch(request, server) {
      if (!server.upgrade(request, { data: { a: 1 }, headers: { a: "b" } })) {
        return new Response("no");
      }
    },
    websocket: {
      open: (socket) => socket.send("welcome"),
      message: (socket, data) => socket.send(data),
      close() {},
      drain() {},
      ping() {},
      pong() {},
      error() {},
    },
  });
  await (await fetch(`http://127.0.0.1:${server.addr.port}/`)).text();
  const socket = new WebSocket(`ws://127.0.0.1:${server.addr.port}/`);
  await once(socket, "message");
  socket.send(new Uint8Array(100));
  await once(socket, "message");
  socket.terminate();
  await server.shutdown();
}

async function streams() {
  const server = Deno.serve({
    hostname: "127.0.0.1",
    port: 0,
    onListen() {},
  }, (request) => {
    const { stream, response } = Deno.upgradeWebSocketStream(request);
    (async () => {
      const { readable, writable } = await stream.opened;
      await readable.pipeTo(writable).catch(() => {});
    })();
    return response;
  });
  const stream = new WebSocketStream(`ws://127.0.0.1:${server.addr.port}/`);
  const { readable, writable } = await stream.opened;
  const writer = writable.getWriter();
  const reader = readable.getReader();
  await writer.write("text");
  await reader.read();
  await writer.write(new Uint8Array(10));
  await reader.read();
  stream.close({ closeCode: 3000, reason: "done" });
  await stream.closed;
  await server.shutdown();
}
