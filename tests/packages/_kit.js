// What the programs share: the messages, ways to wait and to compare, and a server
// that has no package's part in it where the runtime brings one.

export const text = "hé€😀";
export const binary = Uint8Array.from(
  { length: 100 * 1024 },
  (_, at) => (at * 31) >> 3,
);
export const reason = "réason";

// Node.js 20 has none, and the packages take it from there.
globalThis.WebSocket ??= (await import("ws")).WebSocket;

export function equal(actual, expected) {
  const [one, other] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (one !== other) {
    throw new Error(`${one?.slice(0, 200)} is not ${other?.slice(0, 200)}`);
  }
}

// A view, an ArrayBuffer or a Blob against the binary message.
export async function equalBinary(actual) {
  if (actual instanceof Blob) actual = await actual.arrayBuffer();
  const bytes = ArrayBuffer.isView(actual)
    ? new Uint8Array(actual.buffer, actual.byteOffset, actual.byteLength)
    : new Uint8Array(actual);
  equal(bytes.length, binary.length);
  const at = bytes.findIndex((byte, at) => byte !== binary[at]);
  if (at !== -1) {
    throw new Error(`byte ${at} is ${bytes[at]}, not ${binary[at]}`);
  }
}

// The next event of an EventTarget. An error in its place fails.
export function event(target, name) {
  return new Promise((resolve, reject) => {
    target.addEventListener(name, resolve, { once: true });
    if (name !== "error") {
      target.addEventListener(
        "error",
        (event) =>
          reject(event.error ?? new Error(event.message || "an error event")),
        { once: true },
      );
    }
  });
}

// What a callback is given first, call by call: `next()` waits for one.
export function inbox() {
  const waiting = [];
  const come = [];
  return {
    push(value) {
      const resolve = waiting.shift();
      if (resolve) resolve(value);
      else come.push(value);
    },
    next() {
      if (come.length > 0) return Promise.resolve(come.shift());
      return new Promise((resolve) => waiting.push(resolve));
    },
  };
}

// A server of WebSockets. `accept` is given each with its request's URL; `protocol` is the
// one that is agreed on.
export async function serve(accept, protocol) {
  if (globalThis.Deno) {
    const server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen() {} },
      (request) => {
        const url = new URL(request.url);
        const { socket, response } = Deno.upgradeWebSocket(request, {
          protocol,
        });
        socket.binaryType = "arraybuffer";
        socket.onopen = () => accept(socket, url);
        return response;
      },
    );
    return { port: server.addr.port, close: () => server.shutdown() };
  }
  const { WebSocketServer } = await import("ws");
  const handleProtocols = () => protocol ?? false;
  const server = new WebSocketServer({
    host: "127.0.0.1",
    port: 0,
    handleProtocols,
  });
  server.on("connection", (socket, request) => {
    socket.binaryType = "arraybuffer";
    accept(socket, new URL(request.url, "http://127.0.0.1"));
  });
  await new Promise((resolve) => server.on("listening", resolve));
  return {
    port: server.address().port,
    close: () => new Promise((resolve) => server.close(resolve)),
  };
}

// Sends every message back. At the text "close" it closes.
export function echo(socket) {
  socket.onmessage = ({ data }) => {
    if (data === "close") socket.close(4001, reason);
    else socket.send(data);
  };
}

// Both messages there and back, and a close by the server, through what has the
// interface of WebSocket.
export async function exercise(socket) {
  socket.binaryType = "arraybuffer";
  if (socket.readyState !== 1) await event(socket, "open");
  for (const message of [text, binary]) {
    const answer = event(socket, "message");
    socket.send(message);
    const { data } = await answer;
    if (message === text) equal(data, text);
    else await equalBinary(data);
  }
  const closed = event(socket, "close");
  socket.send("close");
  const { code, reason: why } = await closed;
  equal([code, why], [4001, reason]);
}

// Waits until a server of node:http listens on a port of its own, which it returns.
export async function listen(server) {
  await new Promise((resolve, reject) => {
    server.on("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  return server.address().port;
}

// A port that was free a moment ago, for servers that do not say which they got.
export async function freePort() {
  const { createServer } = await import("node:http");
  const server = createServer();
  const port = await listen(server);
  await new Promise((resolve) => server.close(resolve));
  return port;
}

// For packages that keep a program running for good, on Node.js too.
export async function exit() {
  const { default: process } = await import("node:process");
  process.exit(0);
}
