// The check of a WebSocket handshake, and what to answer where it is refused.

import { core, primordials } from "ext:core/mod.js";

const {
  ArrayPrototypePush,
  SafeWeakMap,
  TypeError,
  WeakMapPrototypeGet,
  WeakMapPrototypeSet,
} = primordials;

const { Response } = core.loadExtScript("ext:deno_fetch/23_response.js");

/**
 * What to answer to a request that is no WebSocket handshake, by the error
 * that tells it to the handler.
 *
 * @type {WeakMap<Error, { status: number, headers: [string, string][] }>}
 */
const refusals = new SafeWeakMap();

/**
 * Reads what an op found of a WebSocket handshake.
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
 * Throws where a page may not open a WebSocket.
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

/** Whether `error` says what is wrong with a WebSocket handshake. */
function isRefusal(error) {
  return typeof error === "object" && error !== null &&
    WeakMapPrototypeGet(refusals, error) !== undefined;
}

export { checkOrigin, isRefusal, readVerdict, refusalResponse };
