// flags: --allow-net
// deno: WebSocketStream needs --unstable-net
// exit: 1
// stderr: error: Uncaught (in promise) WebSocketError: failed to connect to WebSocket:[*]
// A connection that fails while nobody looks is an uncaught error.
new WebSocketStream("ws://127.0.0.1:1/");
