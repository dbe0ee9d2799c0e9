// A server and a client in one script: 10,000 messages each way.
//
//   duplex run --allow-net examples/echo.ts

const COUNT = 10_000;

const server = Deno.serve(
  { hostname: "127.0.0.1", port: 0, onListen() {} },
  (request) => {
    if (request.headers.get("upgrade")?.toLowerCase() !== "websocket") {
      return new Response("This is a WebSocket server.\n", { status: 426 });
    }
    const { socket, response } = Deno.upgradeWebSocket(request);
    socket.onmessage = ({ data }) => socket.send(data);
    return response;
  },
);

const url = `ws://127.0.0.1:${server.addr.port}/`;
console.log(`serving ${url}`);

const socket = new WebSocket(url);
const started = performance.now();
let received = 0;

socket.onopen = () => {
  for (let i = 0; i < COUNT; i++) socket.send(`message ${i}`);
};

socket.onmessage = ({ data }) => {
  if (data !== `message ${received}`) {
    throw new Error(`expected message ${received}, got ${data}`);
  }
  if (++received === COUNT) socket.close(1000, "that was all");
};

socket.onerror = (event) => {
  console.error("the connection failed:", (event as ErrorEvent).message);
  Deno.exit(1);
};

socket.onclose = async ({ code, reason, wasClean }) => {
  const elapsed = performance.now() - started;
  const rate = Math.round(received / elapsed * 1000);
  console.log(`sent ${COUNT} messages and got ${received} back, in order`);
  console.log(`${elapsed.toFixed(0)} ms, ${rate} messages a second each way`);
  console.log(`closed with ${code} "${reason}"${wasClean ? ", cleanly" : ""}`);
  await server.shutdown();
  if (received !== COUNT) Deno.exit(1);
};
