// CommonJS: a module is a function, and `require` runs another at once.

import { core } from "ext:core/mod.js";
import { Buffer } from "node:buffer";
import { withCode } from "node:internal/errors";
import { dirname, resolve } from "node:path";
import process from "node:process";
import * as timers from "node:timers";
import { fileURLToPath, pathToFileURL } from "node:url";

/** The modules of Node.js that there are, by name. */
const BUILT_IN = {
  __proto__: null,
  assert: "node:assert",
  buffer: "node:buffer",
  crypto: "node:crypto",
  events: "node:events",
  fs: "node:fs",
  http: "node:http",
  https: "node:https",
  module: "node:module",
  net: "node:net",
  os: "node:os",
  path: "node:path",
  process: "node:process",
  stream: "node:stream",
  string_decoder: "node:string_decoder",
  timers: "node:timers",
  tls: "node:tls",
  url: "node:url",
  util: "node:util",
};
const PACKAGES = { __proto__: null, ws: "node:internal/ws" };
const PARTS = {
  __proto__: null,
  "assert/strict": { specifier: "node:assert", member: "strict" },
  "fs/promises": { specifier: "node:fs", member: "promises" },
  "stream/promises": { specifier: "node:stream", member: "promises" },
  "timers/promises": { specifier: "node:timers", member: "promises" },
};

const builtinModules = Object.keys(BUILT_IN);

const loaders = { __proto__: null };

/** What `require` gives for a module in the binary. */
function loadBuiltIn(specifier) {
  loaders[specifier] ??= core.createLazyLoader(specifier);
  return loaders[specifier]().default;
}

/** Modules by path. One that is running is there already, with what it exports so far. */
const cache = { __proto__: null };

class Module {
  exports = {};
  loaded = false;
  children = [];

  constructor(filename, parent) {
    this.id = filename;
    this.filename = filename;
    this.path = dirname(filename);
    this.parent = parent;
    parent?.children.push(this);
  }

  require(name) {
    return makeRequire(this)(name);
  }
}

let main;

/**
 * Runs the CommonJS module at `url`, whose text the loader has read, unless that was
 * done. Returns what it exports.
 */
function run(url, text) {
  const filename = url.startsWith("file:") ? fileURLToPath(url) : url;
  const known = cache[filename];
  if (known !== undefined) {
    return known.exports;
  }
  const module = new Module(filename, undefined);
  main ??= module;
  evaluate(module, text, url);
  return module.exports;
}

function evaluate(module, text, url) {
  cache[module.filename] = module;
  // The first line stays where it is.
  const source =
    `(function (exports, require, module, __filename, __dirname, process, Buffer, global, setTimeout, setInterval, setImmediate, clearTimeout, clearInterval, clearImmediate) {${text}\n})`;
  try {
    const [made, failure] = core.evalContext(source, url);
    if (failure !== null && failure !== undefined) {
      throw failure.thrown;
    }
    Reflect.apply(made, module.exports, [
      module.exports,
      makeRequire(module),
      module,
      module.filename,
      module.path,
      process,
      Buffer,
      globalThis,
      timers.setTimeout,
      timers.setInterval,
      timers.setImmediate,
      timers.clearTimeout,
      timers.clearInterval,
      timers.clearImmediate,
    ]);
    module.loaded = true;
  } catch (error) {
    delete cache[module.filename];
    throw error;
  }
}

function makeRequire(module) {
  const require = (name) => {
    const found = locate(name, module);
    if (found.specifier !== undefined) {
      const exports = loadBuiltIn(found.specifier);
      return found.member === undefined ? exports : exports[found.member];
    }
    const { path } = found;
    if (cache[path] !== undefined) {
      return cache[path].exports;
    }
    const child = new Module(path, module);
    const text = Deno.readTextFileSync(path);
    if (path.endsWith(".json")) {
      try {
        child.exports = JSON.parse(text);
      } catch (error) {
        error.message = `${path}: ${error.message}`;
        throw error;
      }
      child.loaded = true;
      cache[path] = child;
      return child.exports;
    }
    if (path.endsWith(".mjs") || /\.[cm]?tsx?$/.test(path)) {
      throw withCode(
        new Error(
          `require() of ES module ${path} from ${module.filename} is not supported. Use import() instead.`,
        ),
        "ERR_REQUIRE_ESM",
      );
    }
    evaluate(child, text.replace(/^#!.*/, ""), pathToFileURL(path).href);
    return child.exports;
  };
  require.resolve = (name) => {
    const found = locate(name, module);
    return found.path ?? name;
  };
  require.cache = cache;
  require.main = main;
  return require;
}

/** What a name stands for: a module in the binary, or a file. */
function locate(name, module) {
  if (typeof name !== "string" || name === "") {
    throw withCode(
      new TypeError(
        'The "id" argument must be a non-empty string',
      ),
      "ERR_INVALID_ARG_VALUE",
    );
  }
  const bare = name.replace(/^node:/, "");
  if (BUILT_IN[bare] !== undefined) {
    return { specifier: BUILT_IN[bare] };
  }
  if (PARTS[bare] !== undefined) {
    return PARTS[bare];
  }
  if (PACKAGES[name] !== undefined) {
    return { specifier: PACKAGES[name] };
  }
  if (!/^(?:\.{0,2}\/|\.{1,2}$)/.test(name)) {
    throw notFound(
      name,
      module,
      `\n  hint: of packages there is "ws", and of Node.js, in part, ${
        builtinModules.join(", ")
      }.`,
    );
  }
  const path = resolve(module.path, name);
  for (
    const candidate of [
      path,
      `${path}.js`,
      `${path}.cjs`,
      `${path}.json`,
      `${path}/index.js`,
      `${path}/index.cjs`,
    ]
  ) {
    if (cache[candidate] !== undefined || isFile(candidate)) {
      return { path: candidate };
    }
  }
  throw notFound(name, module, "");
}

function isFile(path) {
  try {
    return Deno.statSync(path).isFile;
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) {
      throw error;
    }
    return false;
  }
}

function notFound(name, module, hint) {
  return withCode(
    new Error(
      `Cannot find module '${name}'\n  required by ${module.filename}${hint}`,
    ),
    "MODULE_NOT_FOUND",
  );
}

/** A `require` for an ES module, or for a folder. */
function createRequire(url) {
  const filename = url instanceof URL || String(url).startsWith("file:")
    ? fileURLToPath(url)
    : String(url);
  return makeRequire(new Module(filename, undefined));
}

export { builtinModules, createRequire, run };
