// The package `ws` of Node.js, for `import "ws"`, `import "npm:ws"` and
// `require("ws")`.

import { createWebSocketStream } from "node:internal/ws/stream";
import { WebSocketServer } from "node:internal/ws/server";
import { WebSocket } from "node:internal/ws/websocket";
import { unsupported } from "node:internal/errors";

const Receiver = unsupported("Receiver of ws");
const Sender = unsupported("Sender of ws");

Object.assign(WebSocket, {
  createWebSocketStream,
  Receiver,
  Sender,
  Server: WebSocketServer,
  WebSocket,
  WebSocketServer,
});

export default WebSocket;
export { createWebSocketStream, Receiver, Sender, WebSocket, WebSocketServer };
