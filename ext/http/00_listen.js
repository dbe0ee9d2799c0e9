// Listening, and the greeting of a server.

import { core, primordials } from "ext:duplex_websocket/00_core.js";

// The ops are not imported from "ext:core/ops", because the functions that a
// snapshot holds have lost V8's fast calls.
const {
  op_http_serve_address_override,
  op_http_serve_tcp,
  op_http_serve_unix,
} = core.ops;
const {
  NumberIsInteger,
  NumberIsSafeInteger,
  ObjectHasOwn,
  StringPrototypeIncludes,
  StringPrototypeSlice,
  TypeError,
} = primordials;

const { validatePort } = core.loadExtScript("ext:deno_net/01_net.js");

let hasOverride = true;

// The first server of a program listens at the address in `DENO_SERVE_ADDRESS`,
// if it is set.
function listen(options, dispatch, isOwn, isShared) {
  let place = options;
  if (hasOverride) {
    const { 0: kind, 1: host, 2: port, 3: isDuplicate } =
      op_http_serve_address_override();
    if (isDuplicate || kind > 2) {
      throw new TypeError(
        "DENO_SERVE_ADDRESS: Deno.serve() takes tcp:ADDRESS:PORT and unix:PATH, and no other address beside it",
      );
    }
    hasOverride = false;
    if (kind === 1) {
      place = { __proto__: null, hostname: host, port };
    } else if (kind === 2) {
      place = { __proto__: null, path: host };
    }
  }
  return ObjectHasOwn(place, "path")
    ? listenUnix(options, place.path, dispatch, isOwn, isShared)
    : listenTcp(options, place, dispatch, isOwn, isShared);
}

function listenTcp(options, place, dispatch, isOwn, isShared) {
  if (options.certFile || options.keyFile) {
    throw new TypeError(
      "Unsupported 'certFile' / 'keyFile' options provided: use 'cert' / 'key' instead.",
    );
  }
  if (options.alpnProtocols) {
    throw new TypeError(
      "Unsupported 'alpnProtocols' option provided. 'h2' and 'http/1.1' are automatically supported.",
    );
  }
  const { cert, key } = options;
  const secure = cert !== undefined || key !== undefined;
  if (secure && (!cert || !key)) {
    throw new TypeError(
      "Both 'cert' and 'key' must be provided to enable HTTPS",
    );
  }
  const { 0: rid, 1: hostname, 2: port, 3: loops, 4: isSecure } =
    op_http_serve_tcp(
      dispatch,
      place.hostname ?? "0.0.0.0",
      validatePort(place.port ?? 8000, true),
      options.reusePort ?? false,
      options.tcpBacklog ?? 511,
      secure ? cert : null,
      secure ? key : null,
      maxHeaderSize(options),
      maxRequestBodySize(options),
      isOwn,
      isShared,
    );
  const addr = { hostname, port, transport: "tcp" };
  const scheme = isSecure ? "https" : "http";
  const host = StringPrototypeIncludes(hostname, ":")
    ? `[${hostname}]`
    : hostname;
  let greeting = `Listening on ${scheme}://${host}:${port}/`;
  if (hostname === "0.0.0.0" || hostname === "::") {
    greeting += ` (${scheme}://localhost:${port}/)`;
  }
  return { rid, addr, loops, greeting, isSecure };
}

function listenUnix(options, wanted, dispatch, isOwn, isShared) {
  const { 0: rid, 1: path, 2: loops } = op_http_serve_unix(
    dispatch,
    wanted,
    maxHeaderSize(options),
    maxRequestBodySize(options),
    isOwn,
    isShared,
  );
  return {
    rid,
    loops,
    isSecure: false,
    addr: { transport: "unix", path },
    // Abstract sockets are written with an @, as other programs do.
    greeting: `Listening on ${
      path[0] === "\0" ? `@${StringPrototypeSlice(path, 1)}` : path
    }`,
  };
}

/** The option `maxHeaderSize`, in bytes; 0 means the default, 64 KiB. */
function maxHeaderSize({ maxHeaderSize: size }) {
  if (size === undefined || size === null) {
    return 0;
  }
  if (
    !NumberIsInteger(size) || size < MIN_HEADER_SIZE || size > MAX_HEADER_SIZE
  ) {
    throw new TypeError(
      `maxHeaderSize must be an integer from ${MIN_HEADER_SIZE} to ${MAX_HEADER_SIZE}`,
    );
  }
  return size;
}

/**
 * The option `maxRequestBodySize`, in bytes; 0 means the default, which the
 * command line sets.
 */
function maxRequestBodySize({ maxRequestBodySize: size }) {
  if (size === undefined || size === null) {
    return 0;
  }
  if (!NumberIsSafeInteger(size) || size < 1) {
    throw new TypeError(
      "maxRequestBodySize must be an integer number of bytes from 1",
    );
  }
  return size;
}

// The limits of hyper's buffer, in bytes.
const MIN_HEADER_SIZE = 8192;
const MAX_HEADER_SIZE = 2 ** 31 - 1;

export { listen };
