// Fails where the WebSockets or the HTTP server of this Deno are not those of duplex.

const missing = ["ping", "pong", "terminate", "pause", "resume", "ref", "unref"]
  .filter((name) => !(name in WebSocket.prototype))
  .map((name) => `WebSocket has no ${name}`);
if (typeof Deno.serve !== "function" || !Deno.upgradeWebSocketStream) {
  missing.push("Deno has no upgradeWebSocketStream");
}
if (missing.length > 0) {
  console.error(missing.join("\n"));
  Deno.exit(1);
}
