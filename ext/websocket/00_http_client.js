// `Deno.createHttpClient()`: deno_fetch's function, whose clients WebSockets
// can use too.

import { core, primordials } from "ext:duplex_websocket/00_core.js";

const { op_ws_add_http_client } = core.ops;
const { internalRidSymbol } = core;
const { ObjectAssign } = primordials;

const { createHttpClient: createFetchClient } = core.loadExtScript(
  "ext:deno_fetch/22_http_client.js",
);
const { loadTlsKeyPair } = core.loadExtScript("ext:deno_net/02_tls.js");

/**
 * A client for `fetch()` and for the option `client` of WebSockets. The options
 * about the pool of connections do not concern WebSockets.
 *
 * @param {Deno.CreateHttpClientOptions} options
 * @returns {Deno.HttpClient}
 */
function createHttpClient(options) {
  // The options are read once, so that deno_fetch and WebSockets get the same
  // values.
  options = ObjectAssign({ __proto__: null }, options);
  if (options.proxy) {
    options.proxy = ObjectAssign({ __proto__: null }, options.proxy);
  }
  const client = createFetchClient(options);
  try {
    op_ws_add_http_client(
      client[internalRidSymbol],
      {
        caCerts: options.caCerts ?? [],
        proxy: options.proxy ? convertProxy(options.proxy) : undefined,
        http1: options.http1,
        http2: options.http2,
        localAddress: options.localAddress,
        http2MaxHeaderListSize: options.http2MaxHeaderListSize,
        allowHost: !!options.allowHost,
      },
      loadTlsKeyPair("Deno.createHttpClient", options),
    );
  } catch (error) {
    client.close();
    throw error;
  }
  return client;
}

/**
 * Completes a proxy without a known `transport`. The scheme of its URL tells
 * the kind of the proxy.
 */
function convertProxy(proxy) {
  switch (proxy.transport) {
    case "tcp":
    case "unix":
    case "vsock":
      return proxy;
    default:
      return { ...proxy, transport: "http" };
  }
}

export { createHttpClient };
