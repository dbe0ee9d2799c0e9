// flags: --allow-net
// exit: 1
// stderr: error: Uncaught Error: thrown in a handler[*]
// An exception in a handler that nobody prevents ends the script.
import { serveEcho } from "../_server.js";

const server = serveEcho();
const socket = new WebSocket(server.url);
socket.onopen = () => {
  throw new Error("thrown in a handler");
};
