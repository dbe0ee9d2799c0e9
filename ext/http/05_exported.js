// A server that a module exports by default, as `deno serve` and `duplex serve` read it.

import { primordials } from "ext:duplex_websocket/00_core.js";

const { FunctionPrototypeCall, ObjectGetPrototypeOf, ObjectPrototype } =
  primordials;

// The options of `Deno.serve`. They are read by name, because the default
// export may be an instance of a class.
const OPTIONS = [
  "alpnProtocols",
  "cert",
  "certFile",
  "hostname",
  "key",
  "keyFile",
  "maxHeaderSize",
  "maxRequestBodySize",
  "onError",
  "path",
  "port",
  "reusePort",
  "signal",
  "tcpBacklog",
  "tls",
  "topics",
  "transport",
  "unix",
  "websocket",
];
// Options that are read only from plain objects, because an instance of a class
// may have these members for other reasons. For example, an instance of Hono
// has `routes`.
const OPTIONS_OF_PLAIN_OBJECTS = ["error", "id", "routes"];

/** Whether this is a plain object, not an instance of a class. */
function isPlain(object) {
  const prototype = ObjectGetPrototypeOf(object);
  return prototype === ObjectPrototype || prototype === null;
}

/**
 * What the module says of its server, as the handler form of `Deno.serve` takes it.
 *
 * @param {object} exported with `fetch`, or with `routes`
 */
function readExported(exported) {
  const options = { __proto__: null };
  for (let i = 0; i < OPTIONS.length; i++) {
    const name = OPTIONS[i];
    const value = exported[name];
    if (value !== undefined) {
      options[name] = value;
    }
  }
  for (let i = 0; i < OPTIONS_OF_PLAIN_OBJECTS.length; i++) {
    const name = OPTIONS_OF_PLAIN_OBJECTS[i];
    const value = isPlain(exported) ? exported[name] : undefined;
    if (value !== undefined) {
      options[name] = typeof value === "function"
        ? (argument) => FunctionPrototypeCall(value, exported, argument)
        : value;
    }
  }
  const { unix } = options;
  if (unix !== undefined && unix !== null && unix !== "") {
    options.path = `${unix}`;
  }
  delete options.unix;
  const { fetch } = exported;
  if (fetch !== undefined) {
    options.fetch = (request, info) =>
      FunctionPrototypeCall(fetch, exported, request, info);
  }
  return options;
}

export { isPlain, readExported };
