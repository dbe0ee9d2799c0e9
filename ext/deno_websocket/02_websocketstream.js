// What deno_runtime loads under the name of Deno's own file.

import { core } from "ext:core/mod.js";

const { WebSocketError, WebSocketStream } = core.loadExtScript(
  "ext:duplex_websocket/02_websocketstream.js",
);

export { WebSocketError, WebSocketStream };
