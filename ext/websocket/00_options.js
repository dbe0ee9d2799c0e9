// The options that clients and servers have in common, compression and limits,
// and the timeouts of clients.

import { primordials } from "ext:duplex_websocket/00_core.js";
import {
  checkMembers,
  membersOf,
} from "ext:duplex_websocket/00_known_members.js";

const { NumberIsFinite, NumberIsInteger, NumberMAX_SAFE_INTEGER, TypeError } =
  primordials;

/**
 * @typedef {{
 *   serverNoContextTakeover?: boolean,
 *   clientNoContextTakeover?: boolean,
 *   serverMaxWindowBits?: number,
 *   clientMaxWindowBits?: number,
 *   threshold?: number,
 *   level?: number,
 * }} PerMessageDeflateOptions the parameters of RFC 7692 section 7.1; the
 *   shortest message that is compressed, in bytes (64); and the level of
 *   compression, 0 to 9 (6)
 */

const DEFLATE_MEMBERS = membersOf([
  "serverNoContextTakeover",
  "clientNoContextTakeover",
  "serverMaxWindowBits",
  "clientMaxWindowBits",
  "threshold",
  "level",
], {
  __proto__: null,
  compress:
    "an object turns compression on, and `level` says how hard to compress",
  decompress: "an object turns compression on, in both directions",
  zlibDeflateOptions: "use `level`",
  zlibInflateOptions: "the other end chooses how to compress",
  concurrencyLimit: "there is no such limit",
});

/** Checks and completes the option `perMessageDeflate`; null means off. */
function convertPerMessageDeflate(options, prefix) {
  if (options === undefined || options === null || options === false) {
    return null;
  }
  if (options === true) {
    options = { __proto__: null };
  }
  if (typeof options !== "object") {
    throw new TypeError(
      `${prefix}: perMessageDeflate must be a boolean or an object`,
    );
  }
  checkMembers(options, DEFLATE_MEMBERS, `${prefix}: perMessageDeflate`);
  const name = (key) => `${prefix}: perMessageDeflate.${key}`;
  const bits = (key) => integer(options[key], 8, 15, name(key)) ?? null;
  return {
    serverNoContextTakeover: !!options.serverNoContextTakeover,
    clientNoContextTakeover: !!options.clientNoContextTakeover,
    serverMaxWindowBits: bits("serverMaxWindowBits"),
    clientMaxWindowBits: bits("clientMaxWindowBits"),
    threshold: integer(options.threshold, 0, 2 ** 31 - 1, name("threshold")) ??
      64,
    level: integer(options.level, 0, 9, name("level")) ?? 6,
  };
}

/**
 * @typedef {{
 *   maxPayloadLength?: number,
 *   maxFragments?: number,
 *   maxControlFrames?: number,
 *   backpressureLimit?: number,
 *   closeOnBackpressureLimit?: boolean,
 *   closeTimeout?: number,
 *   leastProgress?: number,
 *   maxTopics?: number,
 *   maxTopicLength?: number,
 * }} LimitOptions the longest message that is received, in bytes (64 MiB); how
 *   many frames a message may take (2^17); how many Pings and Pongs may come in
 *   a second (10,000); how many bytes of memory the queued frames may hold when
 *   another message is sent (64 MiB), and whether the connection is closed if
 *   there are more, or the message refused (true); how many seconds the peer
 *   may take to answer a Close frame, 0 for no limit (10); how many bytes a
 *   second the peer has to take of the bytes before a Close frame or a Ping, so
 *   that its time does not run (1024); for a server's socket, how many topics
 *   it may be subscribed to (2^17), and how many bytes the name of a topic may
 *   have (256)
 */

/**
 * Checks the options that are limits; null means the default, for one limit or
 * for all.
 */
function convertLimits(options, prefix) {
  if (options === undefined || options === null) {
    return null;
  }
  const {
    maxPayloadLength,
    maxFragments,
    maxControlFrames,
    backpressureLimit,
    closeOnBackpressureLimit,
    closeTimeout,
    leastProgress,
    maxTopics,
    maxTopicLength,
  } = options;
  if (
    maxPayloadLength === undefined && maxFragments === undefined &&
    maxControlFrames === undefined && backpressureLimit === undefined &&
    closeOnBackpressureLimit === undefined && closeTimeout === undefined &&
    leastProgress === undefined && maxTopics === undefined &&
    maxTopicLength === undefined
  ) {
    return null;
  }
  const limit = (key, value, most) =>
    integer(value, 1, most, `${prefix}: ${key}`) ?? null;
  return {
    maxPayloadLength: limit(
      "maxPayloadLength",
      maxPayloadLength,
      NumberMAX_SAFE_INTEGER,
    ),
    maxFragments: limit("maxFragments", maxFragments, 2 ** 32 - 1),
    maxControlFrames: limit("maxControlFrames", maxControlFrames, 2 ** 32 - 1),
    backpressureLimit: limit(
      "backpressureLimit",
      backpressureLimit,
      NumberMAX_SAFE_INTEGER,
    ),
    closeOnBackpressureLimit: boolean(
      closeOnBackpressureLimit,
      `${prefix}: closeOnBackpressureLimit`,
    ),
    closeTimeout: seconds(closeTimeout, `${prefix}: closeTimeout`),
    leastProgress: limit(
      "leastProgress",
      leastProgress,
      NumberMAX_SAFE_INTEGER,
    ),
    maxTopics: limit("maxTopics", maxTopics, NumberMAX_SAFE_INTEGER),
    maxTopicLength: limit(
      "maxTopicLength",
      maxTopicLength,
      NumberMAX_SAFE_INTEGER,
    ),
  };
}

/**
 * @typedef {{
 *   connectTimeout?: number,
 *   handshakeTimeout?: number,
 * }} TimeoutOptions how many seconds a client waits for a connection, which
 *   includes the look-up, TCP, a proxy and TLS (30), and then for the answer to
 *   the opening handshake (60). Fractions are allowed; 0 means no limit
 */

/** Checks the options that are timeouts of a client; null means the default. */
function convertTimeouts(options, prefix) {
  const timeout = (key) => seconds(options?.[key], `${prefix}: ${key}`);
  return {
    connectTimeout: timeout("connectTimeout"),
    handshakeTimeout: timeout("handshakeTimeout"),
  };
}

/**
 * Checks a number of seconds. Fractions are allowed; null means the default.
 */
function seconds(value, name) {
  if (value === undefined || value === null) {
    return null;
  }
  if (typeof value !== "number" || !NumberIsFinite(value) || value < 0) {
    throw new TypeError(`${name} must be a number of seconds, 0 or more`);
  }
  return value;
}

/** Checks a boolean; null means the default. */
function boolean(value, name) {
  if (value === undefined || value === null) {
    return null;
  }
  if (typeof value !== "boolean") {
    throw new TypeError(`${name} must be true or false`);
  }
  return value;
}

function integer(value, least, most, name) {
  if (value === undefined || value === null) {
    return undefined;
  }
  if (!NumberIsInteger(value) || value < least || value > most) {
    throw new TypeError(`${name} must be an integer from ${least} to ${most}`);
  }
  return value;
}

export {
  boolean,
  convertLimits,
  convertPerMessageDeflate,
  convertTimeouts,
  seconds,
};
