// `Deno.serve`, in both of its forms: with a handler, and with all handlers in the options.

import { core } from "ext:core/mod.js";
import { serve as serveRequests } from "ext:duplex_http/00_serve.js";
import { upgrader } from "ext:duplex_http/01_handlers.js";

const loadHandlerForm = core.createLazyLoader(
  "ext:duplex_http/04_handler_form.js",
);

/**
 * As `Deno.serve` with a handler. With the option `websocket` too, the server's
 * `upgrade(request, { data, headers, protocol })` makes a WebSocket of a request, whose
 * `data` is the socket's, and returns whether it did: not where the request is no
 * handshake. A handler that has upgraded a request returns nothing; where it returns
 * nothing otherwise, the client is told what was wrong with its handshake.
 */
function serve(arg1, arg2) {
  // The handler is in the options, under a name that Deno does not have.
  const isHandlerForm = typeof arg1 === "object" && arg1 !== null &&
    typeof arg2 !== "function" &&
    (arg1.handler === undefined || arg1.handler === null);
  return isHandlerForm
    ? loadHandlerForm().serve(arg1, false)
    : serveRequests(arg1, arg2, upgrader, false);
}

export { serve };
