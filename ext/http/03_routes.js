// The option `routes` of a server, as in Bun: the handlers of paths. A path
// without parameters takes precedence over a path with parameters
// (`/users/:id`). Both take precedence over wildcards (`/files/*`), of which
// the longest comes first.

import { core, primordials } from "ext:duplex_websocket/00_core.js";
import {
  responseClone,
  url as urlPrototype,
} from "ext:duplex_websocket/00_prototypes.js";

const {
  ArrayIsArray,
  ArrayPrototypeIncludes,
  ArrayPrototypeJoin,
  ArrayPrototypePush,
  ArrayPrototypeSort,
  FunctionPrototypeCall,
  ObjectDefineProperty,
  ObjectKeys,
  ObjectPrototypeIsPrototypeOf,
  SafeMap,
  MapPrototypeGet,
  MapPrototypeSet,
  StringPrototypeSlice,
  StringPrototypeSplit,
  StringPrototypeStartsWith,
  TypeError,
  decodeURIComponent,
} = primordials;

const { URL } = core.loadExtScript("ext:deno_web/00_url.js");
const { toInnerRequest } = core.loadExtScript("ext:deno_fetch/23_request.js");
const { Response, ResponsePrototype } = core.loadExtScript(
  "ext:deno_fetch/23_response.js",
);

const prefix = "Cannot serve HTTP requests: routes";
const METHODS = [
  "CONNECT",
  "DELETE",
  "GET",
  "HEAD",
  "OPTIONS",
  "PATCH",
  "POST",
  "PUT",
  "TRACE",
];

/**
 * The handler of all requests: the handler of the route, or else `fetch`, or
 * else status 404.
 *
 * @param {Record<string, unknown>} routes the handler of each path: a Response;
 *   a function `(request, server)`, which finds the parameters of the path in
 *   `request.params`; an object with one of these for each method; or false, if
 *   `fetch` must answer
 * @param {Function | undefined} fetch
 */
function createRouter(routes, fetch) {
  if (typeof routes !== "object" || routes === null || ArrayIsArray(routes)) {
    throw new TypeError(`${prefix} must be an object with a path for each`);
  }
  const exact = new SafeMap();
  const patterns = [];
  const paths = ObjectKeys(routes);
  for (let i = 0; i < paths.length; i++) {
    const path = paths[i];
    if (!StringPrototypeStartsWith(path, "/")) {
      throw new TypeError(`${prefix}: "${path}" must begin with /`);
    }
    const methods = convertRoute(path, routes[path], routes);
    const pattern = parsePattern(path);
    if (pattern === null) {
      MapPrototypeSet(exact, path, methods);
    } else {
      ArrayPrototypePush(patterns, { ...pattern, methods, __proto__: null });
    }
  }
  ArrayPrototypeSort(patterns, byRank);

  return (request, server) => {
    const inner = toInnerRequest(request);
    const path = FunctionPrototypeCall(
      urlPrototype.pathname,
      new URL(inner.url()),
    );
    let methods = MapPrototypeGet(exact, path);
    let params = null;
    for (let i = 0; methods === undefined && i < patterns.length; i++) {
      params = match(patterns[i], path);
      if (params !== null) {
        methods = patterns[i].methods;
      }
    }
    const handler = methods === undefined
      ? undefined
      : methods[inner.method] ?? methods.any ??
        (inner.method === "HEAD" ? methods.GET : undefined);
    if (handler === undefined) {
      return fetch === undefined
        ? new Response("Not Found", { __proto__: null, status: 404 })
        : fetch(request, server);
    }
    ObjectDefineProperty(request, "params", {
      __proto__: null,
      value: params ?? {},
      enumerable: true,
      configurable: true,
      writable: true,
    });
    return handler(request, server);
  };
}

/**
 * The handlers of each method. `any` is the handler of the methods that are not
 * named.
 */
function convertRoute(path, route, routes) {
  const methods = { __proto__: null };
  if (route === false) {
    return methods;
  }
  const any = convertHandler(route, routes);
  if (any !== undefined) {
    methods.any = any;
    return methods;
  }
  const names = typeof route === "object" && route !== null
    ? ObjectKeys(route)
    : [];
  for (let i = 0; i < names.length; i++) {
    const name = names[i];
    const handler = convertHandler(route[name], route);
    if (!ArrayPrototypeIncludes(METHODS, name) || handler === undefined) {
      throw new TypeError(
        `${prefix}["${path}"].${name} must be a function or a Response for one of the methods ${
          ArrayPrototypeJoin(METHODS, ", ")
        }`,
      );
    }
    methods[name] = handler;
  }
  if (names.length === 0) {
    throw new TypeError(
      `${prefix}["${path}"] must be a function, a Response, or an object with one of them for each method`,
    );
  }
  return methods;
}

function convertHandler(value, owner) {
  if (typeof value === "function") {
    return (request, server) =>
      FunctionPrototypeCall(value, owner, request, server);
  }
  if (ObjectPrototypeIsPrototypeOf(ResponsePrototype, value)) {
    return () => FunctionPrototypeCall(responseClone, value);
  }
  return undefined;
}

/**
 * The parts of a path with parameters or a wildcard; null for a path without
 * them.
 */
function parsePattern(path) {
  const parts = StringPrototypeSplit(path, "/");
  let parameters = 0;
  for (let i = 1; i < parts.length; i++) {
    if (parts[i] === "*" && i !== parts.length - 1) {
      throw new TypeError(`${prefix}: "${path}" must have * at its end alone`);
    }
    if (isParameter(parts[i])) {
      parameters++;
    }
  }
  const isWild = parts[parts.length - 1] === "*";
  return isWild || parameters > 0
    ? { __proto__: null, parts, parameters, isWild }
    : null;
}

function isParameter(part) {
  return part.length > 1 && part[0] === ":";
}

/** Sorts the more specific pattern first. */
function byRank(a, b) {
  if (a.isWild !== b.isWild) {
    return a.isWild ? 1 : -1;
  }
  return b.parts.length - a.parts.length || a.parameters - b.parameters;
}

/** The parameters of `path`, or null if the path does not match the pattern. */
function match({ parts, isWild }, path) {
  const given = StringPrototypeSplit(path, "/");
  const fixed = isWild ? parts.length - 1 : parts.length;
  if (isWild ? given.length <= fixed : given.length !== fixed) {
    return null;
  }
  const params = {};
  for (let i = 1; i < fixed; i++) {
    const part = parts[i];
    if (!isParameter(part)) {
      if (part !== given[i]) {
        return null;
      }
      continue;
    }
    if (given[i] === "") {
      return null;
    }
    ObjectDefineProperty(params, StringPrototypeSlice(part, 1), {
      __proto__: null,
      value: decode(given[i]),
      enumerable: true,
      configurable: true,
      writable: true,
    });
  }
  return params;
}

/** Removes the percent-encoding, unless it is malformed. */
function decode(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

export { createRouter };
