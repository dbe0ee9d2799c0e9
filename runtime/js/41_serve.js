// `duplex serve`: serves what the main module exports by default.

import { core, internals, primordials } from "ext:core/mod.js";
import {
  MEMBERS,
  serve as serveForm,
} from "ext:duplex_http/04_handler_form.js";
import { checkTopics } from "ext:duplex_http/00_topics.js";
import { isPlain, readExported } from "ext:duplex_http/05_exported.js";
import { checkMembers } from "ext:duplex_websocket/00_known_members.js";

const {
  op_http_numbers,
  op_runtime_main_module,
  op_serve_options,
  op_serve_end,
  op_serve_is_first,
  op_serve_loops,
  op_serve_signal,
  op_serve_start_loops,
} = core.ops;
const {
  FunctionPrototypeCall,
  NumberIsInteger,
  ObjectHasOwn,
  ObjectPrototypeIsPrototypeOf,
  Promise,
  PromisePrototypeThen,
  SafePromiseRace,
  TypeError,
} = primordials;

const { AbortController, AbortSignal } = core.loadExtScript(
  "ext:deno_web/03_abort_signal.js",
);
const { validatePort } = core.loadExtScript("ext:deno_net/01_net.js");
const { exit, getExitCode } = core.loadExtScript("ext:deno_os/30_os.js");

// That of `Deno.serve`.
const DEFAULT_HOSTNAME = "0.0.0.0";

// How many event loops a program may have.
const { maxLoops: MAX_LOOPS } = op_http_numbers();

/**
 * Starts the server, which signals end.
 *
 * @param {object} namespace the main module's
 * @param {Record<string, ErrorConstructor>} errors those of `Deno.errors`
 * @returns {string | undefined} why there is nothing to serve
 */
function serve(namespace, { NotCapable }) {
  const problem = refusal(namespace);
  if (problem !== undefined) {
    return problem;
  }
  const exported = namespace.default;
  const { onListen } = exported;
  const options = readOptions(exported);
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
    const isSystems = typeof error?.code === "string" &&
      !ObjectPrototypeIsPrototypeOf(NotCapable.prototype, error);
    if (isSystems) {
      return cannotListen(options, error);
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

/** The module's options; the command line goes before them. */
function readOptions(exported) {
  const options = readExported(exported);
  const { hostname, port, path, fallback, broker, isSecure } =
    op_serve_options();
  if (isSecure) {
    // The files of the command line, which Rust has.
    delete options.cert;
    delete options.key;
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
  if (path !== null) {
    options.path = path;
  } else if (hostname !== null || port !== null || isSecure) {
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

/** What the system says of an address, for those who chose it on the command line. */
function cannotListen({ hostname, path, port }, { code, message }) {
  const where = path ?? `${hostname}:${port}`;
  switch (code) {
    case "EADDRINUSE":
      return path === undefined
        ? `Port ${port} of ${hostname} is in use. ` +
          "Choose another one with --port, or let the system choose with --port 0"
        : `The socket ${path} is in use: stop the process that serves on it, or choose another path`;
    case "EACCES":
      return path === undefined && port < 1024
        ? `The system does not let this user listen on ${where}. ` +
          "Choose a port from 1024 on with --port, or give the program the capability CAP_NET_BIND_SERVICE"
        : `The system does not let this user listen on ${where}`;
    default:
      return `Unable to listen: ${message}`;
  }
}

async function stop(server, aborter, name) {
  if (op_serve_is_first() && !internals.isQuiet) {
    try {
      core.print(
        `${name}: shutting down. A second signal ends the program at once.\n`,
        true,
      );
    } catch {
      // Nobody reads it.
    }
  }
  // Requests and WebSockets that have not ended by then are dropped.
  const tooLate = new Promise((resolve) => {
    core.createSystemTimer(
      resolve,
      op_serve_options().shutdownTimeout,
      false,
    );
  });
  const late = PromisePrototypeThen(tooLate, () => aborter.abort());
  await SafePromiseRace([server.shutdown(), late]);
  // What the last events have left for this turn goes first.
  await new Promise((resolve) => core.createSystemTimer(resolve, 0, true));
  const code = await op_serve_end();
  exit(getExitCode() || code);
}

export { serve };
