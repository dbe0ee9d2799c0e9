// Dialling: the URL, the protocols, the headers and the options of an opening handshake, and the
// handshake itself.

import { core, internals, primordials } from "ext:duplex_websocket/00_core.js";
import {
  convertLimits,
  convertPerMessageDeflate,
  convertTimeouts,
} from "ext:duplex_websocket/00_options.js";
import {
  headers as headersPrototype,
  url as urlPrototype,
} from "ext:duplex_websocket/00_prototypes.js";
import {
  checkMembers,
  membersOf,
} from "ext:duplex_websocket/00_known_members.js";

const {
  ArrayPrototypeMap,
  ArrayPrototypeSome,
  FunctionPrototypeCall,
  ObjectPrototypeIsPrototypeOf,
  RegExpPrototypeExec,
  SafeRegExp,
  SafeSet,
  SetPrototypeGetSize,
  StringPrototypeStartsWith,
  StringPrototypeToLowerCase,
  SymbolIterator,
  TypedArrayPrototypeGetLength,
  TypedArrayPrototypeSubarray,
  TypeError,
} = primordials;

const webidl = core.loadExtScript("ext:deno_webidl/00_webidl.js");
const { URL } = core.loadExtScript("ext:deno_web/00_url.js");
const { forgivingBase64Encode, HTTP_TOKEN_CODE_POINT_RE } = core.loadExtScript(
  "ext:deno_web/00_infra.js",
);
const { DOMException } = core.loadExtScript("ext:deno_web/01_dom_exception.js");
const { getLocationHref } = core.loadExtScript("ext:deno_web/12_location.js");
const { fillHeaders, headerListFromHeaders, headersFromHeaderList } = core
  .loadExtScript("ext:deno_fetch/20_headers.js");
const { HttpClientPrototype } = core.loadExtScript(
  "ext:deno_fetch/22_http_client.js",
);

/** The options of a client's connection, except the protocols. */
const connectionMembers = [
  { key: "headers", converter: webidl.converters["HeadersInit"] },
  { key: "client", converter: webidl.converters.any },
  {
    key: "perMessageDeflate",
    converter: webidl.converters.any,
    defaultValue: true,
  },
  { key: "maxPayloadLength", converter: webidl.converters.any },
  { key: "maxFragments", converter: webidl.converters.any },
  { key: "maxControlFrames", converter: webidl.converters.any },
  { key: "backpressureLimit", converter: webidl.converters.any },
  { key: "closeTimeout", converter: webidl.converters.any },
  { key: "leastProgress", converter: webidl.converters.any },
  { key: "connectTimeout", converter: webidl.converters.any },
  { key: "handshakeTimeout", converter: webidl.converters.any },
];

webidl.converters["WebSocketInit"] = webidl.createDictionaryConverter(
  "WebSocketInit",
  connectionMembers,
  [
    {
      key: "protocols",
      converter: (V, prefix, context, opts) =>
        webidl.type(V) === "Object"
          ? webidl.converters["sequence<DOMString>"](V, prefix, context, opts)
          : [webidl.converters.DOMString(V, prefix, context, opts)],
    },
  ],
);

const OTHER_CLIENTS = {
  __proto__: null,
  agent: "use `client`, a Deno.createHttpClient({ ... })",
  ca: "use `client`, a Deno.createHttpClient({ caCerts })",
  followRedirects: "a handshake follows no redirect",
  header: "use `headers`",
  origin: "use `headers: { origin }`",
  protocol: "use `protocols`",
  proxy: "use `client`, a Deno.createHttpClient({ proxy })",
  rejectUnauthorized: "use the flag --unsafely-ignore-certificate-errors",
  tls: "use `client`, a Deno.createHttpClient({ caCerts, cert, key })",
};
const CLIENT_MEMBERS = membersOf(
  ArrayPrototypeMap(connectionMembers, ({ key }) => key),
  { __proto__: null, ...OTHER_CLIENTS, protocols: true },
);

/** Converts the second argument of the constructor to a `WebSocketInit`. */
function convertInit(value, prefix) {
  const context = "Argument 2";
  if (value === undefined || value === null) {
    return { __proto__: null };
  }
  if (webidl.type(value) !== "Object") {
    const protocol = webidl.converters.DOMString(value, prefix, context);
    return { __proto__: null, protocols: [protocol] };
  }
  const iterator = value[SymbolIterator];
  if (iterator !== undefined && iterator !== null) {
    return {
      __proto__: null,
      protocols: webidl.converters["sequence<DOMString>"](
        value,
        prefix,
        context,
      ),
    };
  }
  checkMembers(value, CLIENT_MEMBERS, prefix);
  return webidl.converters["WebSocketInit"](value, prefix, context);
}

/** The URL to dial, by the algorithm "get a URL record" of the standard. */
function parseUrl(url) {
  let parsed;
  try {
    parsed = new URL(url, getLocationHref());
  } catch (error) {
    throw new DOMException(error.message, "SyntaxError");
  }
  let protocol = FunctionPrototypeCall(urlPrototype.protocol, parsed);
  if (protocol === "http:" || protocol === "https:") {
    protocol = protocol === "http:" ? "ws:" : "wss:";
    FunctionPrototypeCall(urlPrototype.setProtocol, parsed, protocol);
  }
  if (protocol !== "ws:" && protocol !== "wss:") {
    throw new DOMException(
      `Only ws & wss schemes are allowed in a WebSocket URL: received ${protocol}`,
      "SyntaxError",
    );
  }
  const href = FunctionPrototypeCall(urlPrototype.href, parsed);
  if (
    FunctionPrototypeCall(urlPrototype.hash, parsed) !== "" ||
    href[href.length - 1] === "#"
  ) {
    throw new DOMException(
      "Fragments are not allowed in a WebSocket URL",
      "SyntaxError",
    );
  }
  return parsed;
}

/**
 * Throws if the program may not open an insecure connection to the host (Mixed
 * Content section 4.4).
 */
function checkMixedContent(url) {
  const location = getLocationHref();
  if (
    FunctionPrototypeCall(urlPrototype.protocol, url) === "ws:" &&
    location !== undefined &&
    StringPrototypeStartsWith(originOfUrl(location), "https:") &&
    RegExpPrototypeExec(
        LOOPBACK_RE,
        FunctionPrototypeCall(urlPrototype.hostname, url),
      ) === null
  ) {
    const href = FunctionPrototypeCall(urlPrototype.href, url);
    throw new DOMException(
      `A program whose location is https: may not open an insecure WebSocket: use wss: in place of ${href}`,
      "SecurityError",
    );
  }
}

/** Hosts that need no TLS to be trusted (Secure Contexts section 3.1). */
const LOOPBACK_RE = new SafeRegExp(
  /^(?:127(?:\.\d+){3}|\[::1\]|(?:[^.]+\.)*localhost\.?)$/,
);

function checkProtocols(protocols) {
  const distinct = new SafeSet(
    ArrayPrototypeMap(protocols, (name) => StringPrototypeToLowerCase(name)),
  );
  if (SetPrototypeGetSize(distinct) !== protocols.length) {
    throw new DOMException(
      "Cannot supply the same protocol multiple times",
      "SyntaxError",
    );
  }
  const isInvalid = (name) =>
    RegExpPrototypeExec(HTTP_TOKEN_CODE_POINT_RE, name) === null;
  if (ArrayPrototypeSome(protocols, isInvalid)) {
    throw new DOMException("Invalid protocol value", "SyntaxError");
  }
}

/**
 * The headers to add to the handshake, as a list of pairs. Credentials in the
 * URL become an Authorization header and are removed from the URL. The
 * program's location becomes an Origin header. The same headers in `init` take
 * precedence.
 */
function handshakeHeaders(url, init) {
  const origin = originOfProgram();
  const username = FunctionPrototypeCall(urlPrototype.username, url);
  const password = FunctionPrototypeCall(urlPrototype.password, url);
  const hasCredentials = username !== "" || password !== "";
  if (init === undefined && !hasCredentials) {
    return origin === undefined ? [] : [["Origin", origin]];
  }
  const headers = headersFromHeaderList([], "request");
  if (init !== undefined) {
    fillHeaders(headers, init);
  }
  const has = (name) =>
    FunctionPrototypeCall(headersPrototype.get, headers, name) !== null;
  if (origin !== undefined && !has("origin")) {
    FunctionPrototypeCall(headersPrototype.set, headers, "Origin", origin);
  }
  if (hasCredentials) {
    FunctionPrototypeCall(urlPrototype.setUsername, url, "");
    FunctionPrototypeCall(urlPrototype.setPassword, url, "");
    if (!has("authorization")) {
      const credentials = percentDecode(`${username}:${password}`);
      FunctionPrototypeCall(
        headersPrototype.set,
        headers,
        "authorization",
        `Basic ${forgivingBase64Encode(credentials)}`,
      );
    }
  }
  return headerListFromHeaders(headers);
}

/**
 * The origin for the header Origin (RFC 6454 section 7), if the program has a
 * location.
 */
function originOfProgram() {
  const location = getLocationHref();
  // The file that a program was loaded from is not an origin.
  if (location === undefined || StringPrototypeStartsWith(location, "file:")) {
    return undefined;
  }
  return originOfUrl(location);
}

function originOfUrl(url) {
  return FunctionPrototypeCall(urlPrototype.origin, new URL(url));
}

/** The bytes of a part of a URL (URL section 1.3). */
function percentDecode(text) {
  const bytes = core.encode(text);
  const encodedLength = TypedArrayPrototypeGetLength(bytes);
  let length = 0;
  for (let i = 0; i < encodedLength; i++) {
    const byte = bytes[i];
    const high = byte === 0x25 ? hexDigit(bytes[i + 1]) : -1;
    const low = high === -1 ? -1 : hexDigit(bytes[i + 2]);
    if (low === -1) {
      bytes[length++] = byte;
    } else {
      bytes[length++] = high * 16 + low;
      i += 2;
    }
  }
  return TypedArrayPrototypeSubarray(bytes, 0, length);
}

function hexDigit(byte) {
  if (byte >= 0x30 && byte <= 0x39) {
    return byte - 0x30;
  }
  const letter = byte | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
}

/**
 * Checks the options and returns the parts of the request. `init` may have any
 * of the `connectionMembers`. Throws if an option is not valid, or if the
 * program may not dial the URL.
 */
function handshakeRequest(url, protocols, init, prefix) {
  checkMixedContent(url);
  const client = init.client ?? null;
  if (
    client !== null &&
    !ObjectPrototypeIsPrototypeOf(HttpClientPrototype, client)
  ) {
    throw webidl.makeException(
      TypeError,
      "`client` must be a Deno.HttpClient",
      prefix,
      "Argument 2",
    );
  }
  const deflate = convertPerMessageDeflate(
    init.perMessageDeflate ?? true,
    prefix,
  );
  const limits = convertLimits(init, prefix);
  const timeouts = convertTimeouts(init, prefix);
  const headers = handshakeHeaders(url, init.headers);
  return {
    // The URL has no credentials any more, because they are in the headers.
    url: FunctionPrototypeCall(urlPrototype.href, url),
    protocols,
    headers,
    client: client === null ? null : client[core.internalRidSymbol],
    deflate,
    limits,
    timeouts,
  };
}

/**
 * Connects to the URL that `dialHandle` was made for, and makes the opening
 * handshake. Closing `dialHandle` gives up the dial. Resolves with `{ id,
 * protocol, extensions }` of the connection.
 */
function dial(dialHandle, request) {
  const { protocols, headers, client, deflate, limits, timeouts } = request;
  const create = () =>
    core.ops.op_ws_create(
      protocols,
      headers,
      dialHandle,
      client,
      deflate,
      limits,
      timeouts,
    );
  return internals.traceDial === undefined
    ? create()
    : internals.traceDial(request.url, headers, create);
}

/** The error that a script gets if there is no connection. */
function dialError(error) {
  // If the script closed the socket, the error is the same as in Deno.
  return error.code === "EINTR" ? error : new DOMException(
    `failed to connect to WebSocket: ${error.message}`,
    "NetworkError",
  );
}

export {
  checkProtocols,
  CLIENT_MEMBERS,
  connectionMembers,
  convertInit,
  dial,
  dialError,
  handshakeRequest,
  parseUrl,
};
