// A server with all of Bun's API for WebSockets, and clients of it. It runs on Bun and on
// duplex, and prints the same there: tests/bun_api.rs compares the two.
const isBun = "Bun" in globalThis;
const serve = isBun ? Bun.serve : Deno.serve;
const lines = [];
const say = (...parts) => lines.push(parts.join(" "));
const { promise: done, resolve: finish } = Promise.withResolvers();

const options = {
  port: 0,
  hostname: "127.0.0.1",
  id: "the server",
  // Bun has none.
  ...(isBun ? {} : { onListen() {} }),
  routes: {
    "/static": new Response("static"),
    "/users/me": () => new Response("me"),
    "/users/:id": (request) => new Response(`user ${request.params.id}`),
    "/users/:id/posts/:post": ({ params }) =>
      new Response(`${params.id} ${params.post}`),
    "/files/*": () => new Response("a file"),
    "/methods": {
      GET: () => new Response("got"),
      POST: async (request) =>
        new Response(`posted ${await request.text()}`, { status: 201 }),
    },
    "/fails": () => {
      throw new Error("no good");
    },
  },
  fetch(request, server) {
    const { pathname } = new URL(request.url);
    if (pathname === "/ip") {
      const { address, family, port } = server.requestIP(request);
      return Response.json({ address, family, hasPort: port > 0 });
    }
    if (pathname === "/pending") {
      server.timeout(request, 60);
      return new Response(`${server.pendingRequests}`);
    }
    if (pathname === "/sockets") {
      return new Response(`${server.pendingWebSockets}`);
    }
    if (
      pathname === "/ws" &&
      server.upgrade(request, { data: { name: "a" }, headers: { "x-a": "b" } })
    ) {
      return;
    }
    return new Response("nothing here", { status: 404 });
  },
  error: (error) => new Response(`error: ${error.message}`, { status: 500 }),
  websocket: {
    idleTimeout: 60,
    maxPayloadLength: 1024 * 1024,
    backpressureLimit: 1024 * 1024,
    sendPings: true,
    publishToSelf: true,
    open(ws) {
      say("open", ws.data.name, ws.readyState, ws.remoteAddress);
      ws.binaryType = "arraybuffer";
      say("subscribed", ws.isSubscribed("room"));
      ws.subscribe("room");
      say(
        "subscribed",
        ws.isSubscribed("room"),
        server.subscriberCount("room"),
      );
    },
    message(ws, message) {
      if (typeof message !== "string") {
        say(
          "binary",
          ws.binaryType,
          message instanceof ArrayBuffer,
          message instanceof Uint8Array,
          typeof Buffer === "function" && Buffer.isBuffer(message),
          message.byteLength,
        );
        ws.binaryType = { arraybuffer: "uint8array", uint8array: "nodebuffer" }[
          ws.binaryType
        ] ?? "arraybuffer";
        ws.send("next");
        return;
      }
      switch (message) {
        case "text":
          say("sendText", ws.sendText("abc"));
          break;
        case "bytes":
          say("sendBinary", ws.sendBinary(new Uint8Array([1, 2, 3])));
          break;
        case "cork":
          say(
            "cork",
            ws.cork((ws) => {
              ws.send("one");
              ws.send("two");
              return "corked";
            }),
          );
          break;
        case "buffered":
          say("buffered", ws.getBufferedAmount());
          ws.send("buffered");
          break;
        case "publish":
          say("publish", ws.publish("room", "from one"));
          break;
        case "publishText":
          say("publishText", ws.publishText("room", "more"));
          break;
        case "publishBinary":
          say("publishBinary", ws.publishBinary("room", new Uint8Array(4)));
          break;
        case "server":
          say("server", server.publish("room", "from the server"));
          break;
        case "leave":
          ws.unsubscribe("room");
          say("left", ws.isSubscribed("room"), server.subscriberCount("room"));
          ws.send("left");
          break;
        case "ping":
          ws.ping("p");
          break;
        case "close":
          ws.close(4001, "enough");
          break;
      }
    },
    pong(_ws, data) {
      say("pong", data.byteLength);
    },
    close(_ws, code, reason) {
      say("close", code, reason);
      if (code === 4001) finish();
    },
  },
};
const server = serve(options);

say(server.hostname, server.port > 0, server.id);
say(server.url instanceof URL, server.url.pathname, server.url.protocol);
const base = `http://127.0.0.1:${server.port}`;
const get = async (path, init) => {
  const response = await fetch(base + path, init);
  say(path, response.status, await response.text());
};
await get("/static");
await get("/static");
await get("/users/me");
await get("/users/a%20b");
await get("/users/1/posts/2");
await get("/files/a/b");
await get("/methods");
await get("/methods", { method: "POST", body: "body" });
await get("/methods", { method: "DELETE" });
await get("/fails");
await get("/none");
await get("/ip");
await get("/pending");
await get("/ws");
say(await (await server.fetch(`${base}/users/me`)).text());

// What a client gets, as text.
const client = new WebSocket(`${base.replace("http", "ws")}/ws`);
client.binaryType = "arraybuffer";
const waiting = [];
const arrived = [];
client.onmessage = ({ data }) => {
  const text = typeof data === "string" ? data : `${data.byteLength} bytes`;
  const next = waiting.shift();
  next === undefined ? arrived.push(text) : next(text);
};
const next = () =>
  arrived.length > 0
    ? Promise.resolve(arrived.shift())
    : new Promise((resolve) => waiting.push(resolve));
await new Promise((resolve) => client.onopen = resolve);
await get("/sockets");
const ask = async (message, answers = 1) => {
  client.send(message);
  for (let i = 0; i < answers; i++) {
    say("got", await next());
  }
};
await ask("text");
await ask("bytes");
await ask("cork", 2);
await ask("buffered");
await ask("publish");
await ask("publishText");
await ask("publishBinary");
await ask("server");
await ask("leave");
for (let i = 0; i < 4; i++) {
  await ask(new Uint8Array(i + 1));
}
client.send("ping");
await ask("text");
server.reload({ ...options, fetch: () => new Response("reloaded") });
await get("/none");
await get("/users/me");
const closed = new Promise((resolve) => client.onclose = resolve);
client.send("close");
const { code, reason } = await closed;
await done;
say("closed", code, reason);
await server.stop(true);
say("stopped");
console.log(lines.join("\n"));
