// `Deno.serve`, in both of its forms: with a handler, and with all handlers in the options.

import { core } from "ext:duplex_websocket/00_core.js";
import { serve as serveRequests } from "ext:duplex_http/00_serve.js";
import { upgrader } from "ext:duplex_http/01_handlers.js";

const loadHandlerForm = core.createLazyLoader(
  "ext:duplex_http/04_handler_form.js",
);

/**
 * `Deno.serve`. With the option `websocket`, the server has a method
 * `upgrade(request, { data, headers, protocol })`, which makes a WebSocket of a
 * request. The socket gets `data`. The method returns false if the request is
 * not a legal handshake. A handler that has upgraded a request returns nothing.
 * If a handler returns nothing without an upgrade, the client is told what was
 * wrong with its handshake.
 */
function serve(arg1, arg2) {
  // In the handler form the handler is in the options, under a name that Deno
  // does not have.
  const isHandlerForm = typeof arg1 === "object" && arg1 !== null &&
    typeof arg2 !== "function" &&
    (arg1.handler === undefined || arg1.handler === null);
  return isHandlerForm
    ? loadHandlerForm().serve(arg1, false)
    : serveRequests(arg1, arg2, upgrader, false);
}

export { serve };
