// In the place of duplex_websocket's file of this name: in Deno the global CloseEvent is
// deno_web's, and the event of a socket that closes must be an instance of it.

import { core } from "ext:core/mod.js";

const { CloseEvent } = core.loadExtScript("ext:deno_web/02_event.js");

export { CloseEvent };
