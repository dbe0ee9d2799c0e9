// The check of a WebSocket handshake, and the answer to a refused handshake.

import { core, primordials } from "ext:duplex_websocket/00_core.js";

const {
  ArrayPrototypePush,
  SafeWeakMap,
  TypeError,
  WeakMapPrototypeGet,
  WeakMapPrototypeSet,
} = primordials;

const { Response } = core.loadExtScript("ext:deno_fetch/23_response.js");

/**
 * The answers to requests that are no legal WebSocket handshakes, by the errors
 * that the handlers get.
 *
 * @type {WeakMap<Error, { status: number, headers: [string, string][] }>}
 */
const refusals = new SafeWeakMap();

/**
 * Reads the result of an op that checks a WebSocket handshake. Throws if the
 * handshake was refused.
 *
 * @returns {{ accept: string, extensions: string }} the values of
 *   Sec-WebSocket-Accept and Sec-WebSocket-Extensions
 */
function readVerdict(verdict) {
  if (typeof verdict === "string") {
    return { accept: verdict, extensions: "" };
  }
  const { 0: accept, 1: extensions, 2: status, 3: message, 4: flat } = verdict;
  if (accept !== null && accept !== undefined) {
    return { accept, extensions };
  }
  const error = new TypeError(message);
  const headers = [];
  for (let i = 0; i < flat.length; i += 2) {
    ArrayPrototypePush(headers, [flat[i], flat[i + 1]]);
  }
  WeakMapPrototypeSet(refusals, error, { status, headers });
  throw error;
}

/**
 * Throws if a page with `origin` may not open a WebSocket.
 *
 * @param {AllowedOrigins} allowed of 00_allowed_origins.js
 */
function checkOrigin(allowed, origin, url) {
  if (!allowed.allow(origin, url)) {
    const error = new TypeError(`Origin '${origin}' is not in allowedOrigins`);
    WeakMapPrototypeSet(refusals, error, { status: 403, headers: [] });
    throw error;
  }
}

// The answer to a client whose WebSocket handshake failed with `error`.
function refusalResponse(error) {
  const refusal = typeof error === "object" && error !== null
    ? WeakMapPrototypeGet(refusals, error)
    : undefined;
  return refusal === undefined
    ? undefined
    : new Response(error.message, refusal);
}

/** Whether `error` tells why a WebSocket handshake was refused. */
function isRefusal(error) {
  return typeof error === "object" && error !== null &&
    WeakMapPrototypeGet(refusals, error) !== undefined;
}

export { checkOrigin, isRefusal, readVerdict, refusalResponse };
