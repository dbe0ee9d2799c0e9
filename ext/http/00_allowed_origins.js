// The option `allowedOrigins`: which pages may open a WebSocket. Browsers let
// any page dial any server, and send the server's cookies. The header Origin
// tells the origin of the page.

import { core, primordials } from "ext:duplex_websocket/00_core.js";

const {
  ArrayIsArray,
  ArrayPrototypePush,
  RegExpPrototypeExec,
  SafeRegExp,
  StringPrototypeEndsWith,
  StringPrototypeIncludes,
  StringPrototypeIndexOf,
  StringPrototypeSlice,
  StringPrototypeToLowerCase,
  TypeError,
} = primordials;

const { op_http_origin } = core.ops;

const ANY = "*";
const SAME = "same-origin";
// The Origin of a page without an origin, such as a sandboxed frame.
const OPAQUE = "null";

/**
 * Checks the option.
 *
 * @param {unknown} value the option; it is not undefined
 * @returns {AllowedOrigins}
 */
function convertAllowedOrigins(value, prefix) {
  if (!ArrayIsArray(value)) {
    throw new TypeError(
      `${prefix}: allowedOrigins must be an array, such as ["https://example.com"]`,
    );
  }
  const list = [];
  for (let i = 0; i < value.length; i++) {
    const entry = value[i];
    if (typeof entry !== "string") {
      throw new TypeError(`${prefix}: allowedOrigins must be strings`);
    }
    const problem = problemWith(entry);
    if (problem !== undefined) {
      throw new TypeError(`${prefix}: allowedOrigins: ${problem}`);
    }
    ArrayPrototypePush(list, entry);
  }
  return new AllowedOrigins(list);
}

class AllowedOrigins {
  #list;

  constructor(list) {
    this.#list = list;
  }

  /**
   * Whether a request may become a WebSocket.
   *
   * @param {string | null} origin the header of the request. A request without
   *   the header is allowed, because browsers always send it, and only in a
   *   browser a foreign page can act for a user
   * @param {string} url the URL of the request
   */
  allow(origin, url) {
    if (origin === null) {
      return true;
    }
    for (let i = 0; i < this.#list.length; i++) {
      const entry = this.#list[i];
      if (
        entry === origin || entry === ANY ||
        entry === SAME && origin !== OPAQUE && hostOf(origin) === hostOf(url)
      ) {
        return true;
      }
    }
    return false;
  }
}

/** The reason why `entry` matches no Origin of a browser, or undefined. */
function problemWith(entry) {
  if (entry === ANY || entry === SAME || entry === OPAQUE) {
    return undefined;
  }
  if (StringPrototypeIncludes(entry, "*")) {
    return `"${entry}": wildcards are not supported, but "*" for any page`;
  }
  const origin = op_http_origin(entry);
  if (origin === null) {
    return `"${entry}" is not an origin, such as "https://example.com"`;
  }
  if (RegExpPrototypeExec(SOCKET, entry) !== null) {
    return `"${entry}" is a WebSocket's: an origin is that of the page, such as "https://example.com"`;
  }
  if (origin === entry) {
    return undefined;
  }
  // Pages of applications and extensions have other schemes.
  if (
    origin === OPAQUE && RegExpPrototypeExec(OTHER_ORIGIN, entry) !== null
  ) {
    return undefined;
  }
  return `"${entry}" is not an origin as browsers send it` +
    (origin === OPAQUE ? "" : `: write "${origin}"`);
}

const SOCKET = new SafeRegExp("^wss?:");
const OTHER_ORIGIN = new SafeRegExp(
  "^(?!(?:https?|ftp|file|data|blob|javascript):)[a-z][a-z0-9+.-]*://[^/?#@\\s]+$",
);

/**
 * Host and port of an origin or a URL. The ports 80 and 443 are left out for
 * every scheme, because TLS may end at a proxy.
 */
function hostOf(url) {
  const scheme = StringPrototypeIndexOf(url, "://");
  if (scheme === -1) {
    return undefined;
  }
  const start = scheme + 3;
  const end = StringPrototypeIndexOf(url, "/", start);
  const host = StringPrototypeToLowerCase(
    StringPrototypeSlice(url, start, end === -1 ? undefined : end),
  );
  if (StringPrototypeEndsWith(host, ":80")) {
    return StringPrototypeSlice(host, 0, -3);
  }
  return StringPrototypeEndsWith(host, ":443")
    ? StringPrototypeSlice(host, 0, -4)
    : host;
}

export { convertAllowedOrigins };
