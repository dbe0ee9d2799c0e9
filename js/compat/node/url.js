// node:url

import { resolve as resolvePath } from "node:path";
import { withCode } from "node:internal/errors";

const { URL, URLSearchParams } = globalThis;

/** What the parser of old makes of a URL: all members strings, or null. */
class Url {
  protocol = null;
  slashes = null;
  auth = null;
  host = null;
  port = null;
  hostname = null;
  hash = null;
  search = null;
  query = null;
  pathname = null;
  path = null;
  href = "";
}

/**
 * Parses a URL, or the target of a request: path and query.
 *
 * @param {boolean=} parseQuery whether `query` is an object
 */
function parse(text, parseQuery = false, slashesDenoteHost = false) {
  if (text instanceof Url) {
    return text;
  }
  text = String(text).trim();
  const url = new Url();
  const isAbsolute = /^[a-z][a-z0-9.+-]*:/i.test(text) ||
    (slashesDenoteHost && text.startsWith("//"));
  if (isAbsolute) {
    const parsed = new URL(text, "file:");
    url.protocol = parsed.protocol;
    url.slashes = text.includes("//") || null;
    url.auth = parsed.username === ""
      ? null
      : decodeURIComponent(parsed.username) +
        (parsed.password === ""
          ? ""
          : `:${decodeURIComponent(parsed.password)}`);
    url.host = parsed.host;
    url.port = parsed.port === "" ? null : parsed.port;
    url.hostname = parsed.hostname;
    url.hash = parsed.hash === "" ? null : parsed.hash;
    url.search = parsed.search === "" ? null : parsed.search;
    url.pathname = parsed.pathname;
    url.href = parsed.href;
  } else {
    const [, pathname, search, hash] = /^([^?#]*)(\?[^#]*)?(#.*)?$/s.exec(text);
    url.pathname = pathname === "" ? null : pathname;
    url.search = search ?? null;
    url.hash = hash ?? null;
    url.href = text;
  }
  url.path = url.pathname === null && url.search === null
    ? null
    : `${url.pathname ?? ""}${url.search ?? ""}`;
  const query = url.search === null ? null : url.search.slice(1);
  url.query = parseQuery ? parseQueryString(query ?? "") : query;
  return url;
}

function parseQueryString(text) {
  const query = { __proto__: null };
  for (const [key, value] of new URLSearchParams(text)) {
    query[key] = query[key] === undefined ? value : [query[key], value].flat();
  }
  return query;
}

function format(url) {
  if (typeof url === "string" || url instanceof URL) {
    return String(url);
  }
  const host = url.host ??
    (url.hostname ? `${url.hostname}${url.port ? `:${url.port}` : ""}` : "");
  const protocol = url.protocol
    ? url.protocol.endsWith(":") ? url.protocol : `${url.protocol}:`
    : "";
  const search = url.search ??
    (typeof url.query === "object" && url.query !== null
      ? `?${new URLSearchParams(url.query)}`
      : "");
  return `${protocol}${host || url.slashes ? "//" : ""}${
    url.auth ? `${encodeURIComponent(url.auth)}@` : ""
  }${host}${url.pathname ?? ""}${search}${url.hash ?? ""}`;
}

function resolve(from, to) {
  const base = new URL(from, "resolve://");
  const url = new URL(to, base);
  return url.protocol === "resolve:"
    ? `${url.pathname}${url.search}${url.hash}`
    : url.href;
}

function fileURLToPath(url) {
  url = new URL(url);
  if (url.protocol !== "file:") {
    throw withCode(
      new TypeError("The URL must be of scheme file"),
      "ERR_INVALID_URL_SCHEME",
    );
  }
  return decodeURIComponent(url.pathname);
}

function pathToFileURL(path) {
  const url = new URL("file:///");
  url.pathname = resolvePath(path).replaceAll("%", "%25").replaceAll("?", "%3F")
    .replaceAll("#", "%23");
  return url;
}

/** The options of http.request for a URL. */
function urlToHttpOptions(url) {
  return {
    protocol: url.protocol,
    hostname: url.hostname.replace(/^\[(.*)\]$/, "$1"),
    hash: url.hash,
    search: url.search,
    pathname: url.pathname,
    path: `${url.pathname}${url.search}`,
    href: url.href,
    ...(url.port === "" ? {} : { port: Number(url.port) }),
    ...(url.username === "" ? {} : {
      auth: `${decodeURIComponent(url.username)}:${
        decodeURIComponent(url.password)
      }`,
    }),
  };
}

const domainToASCII = (domain) => new URL(`http://${domain}`).hostname;

export default {
  domainToASCII,
  fileURLToPath,
  format,
  parse,
  pathToFileURL,
  resolve,
  Url,
  URL,
  URLSearchParams,
  urlToHttpOptions,
};
export {
  domainToASCII,
  fileURLToPath,
  format,
  parse,
  pathToFileURL,
  resolve,
  URL,
  Url,
  URLSearchParams,
  urlToHttpOptions,
};
