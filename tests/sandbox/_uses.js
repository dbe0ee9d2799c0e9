// Uses each API once that the runtime has of its own, and loads each part that is loaded
// late. Most is refused, since nothing is allowed.

const nothing = () => {};

/** Each use by itself: what one throws does not keep the others from running. */
const uses = [
  () => new WebSocket("ws://localhost:1/"),
  () => new WebSocket("ws://user:password@localhost:1/", ["a", "b"]),
  () =>
    new WebSocket("ws://localhost:1/", {
      protocols: "a",
      headers: { a: "b" },
      perMessageDeflate: { level: 1 },
      maxPayloadLength: 1,
      connectTimeout: 1,
    }),
  () => new WebSocketStream("ws://localhost:1/"),
  () =>
    new WebSocketStream("ws://localhost:1/", {
      protocols: ["a"],
      signal: new AbortController().signal,
    }),
  () => new WebSocketError("a", { closeCode: 3000, reason: "b" }),
  () => new CloseEvent("close", { code: 1000 }),
  () => Deno.serve({ port: 0, onListen: nothing }, nothing),
  () => Deno.serve({ fetch: nothing, websocket: { message: nothing } }),
  () => Deno.upgradeWebSocket(new Request("http://localhost/")),
  () => Deno.upgradeWebSocketStream(new Request("http://localhost/")),
  // deno-lint-ignore no-deprecated-deno-api
  () => Deno.serveHttp({}),
  () =>
    Deno.createHttpClient({
      caCerts: [],
      proxy: { url: "http://localhost:1/" },
    }),
  () => new Worker("data:text/javascript,close()", { type: "module" }),
  () => navigator.locks,
  () =>
    navigator.userAgent + navigator.language + navigator.hardwareConcurrency,
  () => Deno.permissions.query({ name: "net", host: "localhost:1" }),
  () => Deno.permissions.request({ name: "read", path: "/" }),
  () => Deno.permissions.revoke({ name: "env", variable: "A" }),
  () => Deno.memoryUsage(),
  () => Deno.cpuUsage(),
  () => Deno.consoleSize(),
  // deno-lint-ignore no-deprecated-deno-api
  () => Deno.isatty(0),
  () => Deno.args.length + Deno.pid + Deno.ppid,
  () => Deno.exitCode,
  () => prompt(),
  () => confirm(),
  () => alert(),
  () => close,
  () => structuredClone({ a: new Date(0) }),
  () => new BroadcastChannel("a").close(),
];

export async function run() {
  for (let i = 0; i < uses.length; i++) {
    try {
      await uses[i]();
    } catch {
      // Refused.
    }
  }
}
