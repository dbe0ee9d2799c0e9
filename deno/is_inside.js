// Fails where the WebSockets of this Deno are not those of duplex.

const own = ["ping", "pong", "terminate", "pause", "resume", "ref", "unref"];
const missing = own.filter((name) => !(name in WebSocket.prototype));
if (missing.length > 0) {
  console.error(`WebSocket has no ${missing.join(", ")}`);
  Deno.exit(1);
}
