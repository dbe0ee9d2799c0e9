// `duplex serve`: serves what the main module exports by default.

import { core, primordials } from "ext:core/mod.js";
import {
  MEMBERS,
  serve as serveForm,
} from "ext:duplex_http/04_handler_form.js";
import { checkTopics } from "ext:duplex_http/00_topics.js";
import { checkMembers } from "ext:duplex_websocket/00_known_members.js";

const {
  op_http_numbers,
  op_runtime_main_module,
  op_serve_address,
  op_serve_end,
  op_serve_is_first,
  op_serve_loops,
  op_serve_signal,
  op_serve_start_loops,
} = core.ops;
const {
  FunctionPrototypeCall,
  NumberIsInteger,
  ObjectGetPrototypeOf,
  ObjectHasOwn,
  ObjectPrototype,
  ObjectPrototypeIsPrototypeOf,
  Promise,
  PromisePrototypeThen,
  TypeError,
} = primordials;

const { AbortController, AbortSignal } = core.loadExtScript(
  "ext:deno_web/03_abort_signal.js",
);
const { validatePort } = core.loadExtScript("ext:deno_net/01_net.js");
const { exit, getExitCode } = core.loadExtScript("ext:deno_os/30_os.js");

// The options of `Deno.serve`, read by name, for they may be those of an instance of a
// class.
const OPTIONS = [
  "alpnProtocols",
  "cert",
  "certFile",
  "hostname",
  "key",
  "keyFile",
  "maxHeaderSize",
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
// What an instance of a class may have for other reasons: Hono's has `routes`.
const OPTIONS_OF_PLAIN_OBJECTS = ["error", "id", "routes"];

// That of `Deno.serve`.
const DEFAULT_HOSTNAME = "0.0.0.0";

// How many event loops a program may have.
const { maxLoops: MAX_LOOPS } = op_http_numbers();

// How long the answers to requests may take when the server goes, in
// milliseconds. WebSockets have a time of their own, `closeTimeout`.
const REQUESTS_TIMEOUT = 30_000;

/**
 * Starts the server, which signals end.
 *
 * @param {object} namespace the main module's
 * @param {Record<string, ErrorConstructor>} errors those of `Deno.errors`
 * @returns {string | undefined} why there is nothing to serve
 */
function serve(namespace, { AddrInUse }) {
  const problem = refusal(namespace);
  if (problem !== undefined) {
    return problem;
  }
  const exported = namespace.default;
  const { fetch, onListen } = exported;
  const options = readOptions(exported);
  if (fetch !== undefined) {
    options.fetch = (request, info) =>
      FunctionPrototypeCall(fetch, exported, request, info);
  }
  if (onListen !== undefined) {
    options.onListen = typeof onListen === "function"
      ? (address) => FunctionPrototypeCall(onListen, exported, address)
      : onListen;
  }
  op_serve_loops(readLoops(exported));
  const aborter = new AbortController();
  const { signal } = options;
  options.signal = signal === undefined || signal === null
    ? aborter.signal
    : AbortSignal.any([signal, aborter.signal]);

  // Listened to before anybody can know that the server is up.
  const signalled = op_serve_signal();
  core.unrefOpPromise(signalled);
  let server;
  try {
    server = serveForm(options, true);
  } catch (error) {
    if (ObjectPrototypeIsPrototypeOf(AddrInUse.prototype, error)) {
      return addressInUse(options);
    }
    throw error;
  }
  op_serve_start_loops();
  PromisePrototypeThen(signalled, (name) => stop(server, aborter, name));
}

/** Why there is nothing to serve, or undefined. */
function refusal(namespace) {
  const file = op_runtime_main_module();
  const wanted = "duplex serve wants an object that answers requests:\n" +
    '    export default { fetch(request) { return new Response("hello"); } };';
  if (!ObjectHasOwn(namespace, "default")) {
    return `${file} has no default export. ${wanted}\n` +
      "A program that calls Deno.serve() itself is started by: duplex run";
  }
  const exported = namespace.default;
  if (typeof exported === "function") {
    return `The default export of ${file} is a function. ${wanted}`;
  }
  if (typeof exported !== "object" || exported === null) {
    const kind = exported === null
      ? "null"
      : `a value of type ${typeof exported}`;
    return `The default export of ${file} is ${kind}. ${wanted}`;
  }
  const { fetch } = exported;
  if (fetch === undefined && isPlain(exported) && exported.routes) {
    return undefined;
  }
  if (typeof fetch !== "function") {
    const kind = fetch === undefined
      ? "has no method fetch"
      : `has a fetch that is not a function`;
    return `The default export of ${file} ${kind}. ${wanted}`;
  }
  try {
    checkMembers(exported, MEMBERS, `The default export of ${file}`);
  } catch (error) {
    return error.message;
  }
}

/** Whether it was written down as an object, and is no instance of a class. */
function isPlain(object) {
  const prototype = ObjectGetPrototypeOf(object);
  return prototype === ObjectPrototype || prototype === null;
}

/** The module's options; the command line goes before them. */
function readOptions(exported) {
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
  const { hostname, port, fallback, broker, cert, key } = op_serve_address();
  if (cert !== null) {
    options.cert = cert;
    options.key = key;
    delete options.tls;
  }
  if (broker !== null) {
    const topics = options.topics ?? null;
    if (topics !== null) {
      // What is inherited is not checked any more.
      checkTopics(topics);
    }
    options.topics = { __proto__: topics, broker };
  }
  if (hostname !== null || port !== null) {
    delete options.path;
  }
  if (!ObjectHasOwn(options, "path")) {
    // As `Deno.serve` reads them: a port may be a string of the environment.
    options.hostname = `${hostname ?? options.hostname ?? DEFAULT_HOSTNAME}`;
    options.port = validatePort(port ?? options.port ?? fallback, true);
  }
  return options;
}

/** How many event loops the module wants, as `op_serve_loops` takes it. */
function readLoops({ parallel }) {
  if (parallel === undefined || parallel === null || parallel === false) {
    return -1;
  }
  if (parallel === true) {
    return 0;
  }
  if (!NumberIsInteger(parallel) || parallel < 1 || parallel > MAX_LOOPS) {
    throw new TypeError(
      `Cannot serve: parallel must be a boolean or an integer from 1 to ${MAX_LOOPS}`,
    );
  }
  return parallel;
}

function addressInUse({ hostname, path, port }) {
  if (path !== undefined) {
    return `The socket ${path} is in use or left over: end who serves on it, or remove the file`;
  }
  return `Port ${port} of ${hostname} is in use. ` +
    "Choose another one with --port, or let the system choose with --port 0";
}

async function stop(server, aborter, name) {
  if (op_serve_is_first()) {
    try {
      core.print(`${name}: shutting down. Another one ends at once.\n`, true);
    } catch {
      // Nobody reads it.
    }
  }
  core.createSystemTimer(() => aborter.abort(), REQUESTS_TIMEOUT, false);
  await server.shutdown();
  // What the last events have left for this turn goes first.
  await new Promise((resolve) => core.createSystemTimer(resolve, 0, true));
  const code = await op_serve_end();
  exit(getExitCode() || code);
}

export { serve };
