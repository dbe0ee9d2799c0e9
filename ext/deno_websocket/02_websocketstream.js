// What deno_runtime loads under the name of Deno's own file.

import {
  WebSocketError,
  WebSocketStream,
} from "ext:duplex_websocket/02_websocketstream.js";

export { WebSocketError, WebSocketStream };
