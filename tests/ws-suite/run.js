// Runs tests of the package `ws` against the `ws` of duplex:
//
//     duplex run -A tests/ws-suite/run.js SUITE CERTIFICATES [INDEX]
//
// runs the test of that number, or tells how many there are.
// SUITE is a checkout of https://github.com/websockets/ws, of which only those tests are
// read that are about what a program sees. CERTIFICATES is a folder that takes the
// place of its fixtures, which are of X.509 v1. What Mocha does for the tests is done
// here as far as they need it.

import assert from "node:assert";
import { Buffer } from "node:buffer";
import fs from "node:fs";
import { createRequire } from "node:module";
import process from "node:process";
import WebSocket, { createWebSocketStream } from "ws";
import * as eventTarget from "node:internal/ws/event_target";
import { KNOWN } from "./known.js";

const FILES = [
  "test/websocket-server.test.js",
  "test/websocket.test.js",
  "test/create-websocket-stream.test.js",
];
const TIMEOUT = 2000;

const [suite, certificates, index] = Deno.args;
if (certificates === undefined) {
  console.error("usage: make ws-suite SUITE=DIR");
  Deno.exit(2);
}
Deno.chdir(suite);

/** Frames as the tests build them (RFC 6455 section 5.2). */
const Sender = {
  frame(data, { fin = false, rsv1 = false, opcode, mask }) {
    const bytes = Buffer.from(data);
    const size = bytes.length < 126 ? 0 : bytes.length < 65536 ? 2 : 8;
    const header = Buffer.alloc(2 + size + (mask ? 4 : 0));
    header[0] = (fin ? 0x80 : 0) | (rsv1 ? 0x40 : 0) | opcode;
    header[1] = (mask ? 0x80 : 0) |
      (size === 0 ? bytes.length : size === 2 ? 126 : 127);
    if (size > 0) {
      header.writeUIntBE(
        bytes.length,
        2 + size - Math.min(size, 6),
        Math.min(size, 6),
      );
    }
    // A mask of noughts masks nothing.
    return [header, bytes];
  },
};

/** What the tests take out of the package's own files. */
const INTERNALS = {
  "..": WebSocket,
  "../lib/constants": {
    EMPTY_BUFFER: eventTarget.EMPTY_BUFFER,
    GUID: "258EAFA5-E914-47DA-95CA-C5AB0DC85B11",
    hasBlob: true,
    kForOnEventAttribute: eventTarget.kForAttribute,
    kListener: eventTarget.kListener,
    NOOP: () => {},
  },
  "../lib/event-target": eventTarget,
  "../lib/sender": Sender,
  "../lib/stream": createWebSocketStream,
  fs: {
    ...fs,
    readFileSync: (path, ...rest) =>
      fs.readFileSync(
        path.replace(/^test\/fixtures/, certificates),
        ...rest,
      ),
  },
};

class Group {
  hooks = { before: [], after: [], beforeEach: [], afterEach: [] };

  constructor(name, parent) {
    this.name = parent === null || parent.name === ""
      ? name
      : `${parent.name} ${name}`;
    this.parent = parent;
  }

  all(hook) {
    return [...(this.parent?.all(hook) ?? []), ...this.hooks[hook]];
  }
}

const tests = [];
let group = new Group("", null);

const globals = {
  describe(name, define) {
    const outer = group;
    group = new Group(name, outer);
    define.call({ timeout() {} });
    group = outer;
  },
  it(name, run) {
    const test = {
      name: `${group.name} ${name}`.trim(),
      run,
      group,
      limit: TIMEOUT,
    };
    tests.push(test);
    return {
      timeout(limit) {
        test.limit = limit;
        return this;
      },
    };
  },
};
for (const hook of ["before", "after", "beforeEach", "afterEach"]) {
  globals[hook] = (run) => group.hooks[hook].push(run);
}

function load(file) {
  const path = `${Deno.cwd()}/${file}`;
  const outer = createRequire(path);
  const require = (name) =>
    INTERNALS[name] ?? (name.startsWith("./") ? loadHelper(name) : outer(name));
  evaluate(path, require, {});
}

function loadHelper(name) {
  const path = `${Deno.cwd()}/test/${name.slice(2)}.js`;
  const module = { exports: {} };
  evaluate(path, createRequire(path), module);
  return module.exports;
}

function evaluate(path, require, module) {
  const names = {
    ...globals,
    require,
    module,
    Buffer,
    process: require("process"),
    setImmediate: require("timers").setImmediate,
    setTimeout: require("timers").setTimeout,
  };
  const text = Deno.readTextFileSync(path);
  new Function(...Object.keys(names), `${text}\n//# sourceURL=${path}`)(
    ...Object.values(names),
  );
}

/** Fails the test that is running. */
let fail = () => {};
process.on("uncaughtException", (error) => fail(error));
process.on("unhandledRejection", (error) => fail(error));

class Skipped extends Error {}

/** Runs a test or a hook: with a callback, as a promise, or at once. */
function call(run, limit) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new Error(`no end after ${limit} ms`)),
      limit,
    );
    const settle = (act) => (value) => {
      clearTimeout(timer);
      act(value);
    };
    fail = settle(reject);
    const done = (error) =>
      error ? settle(reject)(error) : settle(resolve)(undefined);
    const context = {
      skip() {
        throw new Skipped();
      },
      timeout() {},
    };
    try {
      const result = run.call(context, run.length > 0 ? done : undefined);
      if (run.length === 0) {
        Promise.resolve(result).then(settle(resolve), settle(reject));
      }
    } catch (error) {
      settle(reject)(error);
    }
  });
}

async function run(test) {
  for (const hook of test.group.all("beforeEach")) {
    await call(hook, TIMEOUT);
  }
  let failure;
  try {
    await call(test.run, test.limit);
  } catch (error) {
    failure = error;
  }
  for (const hook of test.group.all("afterEach")) {
    await call(hook, TIMEOUT).catch(() => {});
  }
  if (failure !== undefined) {
    throw failure;
  }
}

assert.ok(Deno.statSync("test").isDirectory, `${suite} has tests`);
FILES.forEach(load);

const test = tests[index];
if (test === undefined) {
  console.log(tests.length);
} else {
  let line;
  try {
    await run(test);
    line = `pass ${test.name}`;
  } catch (error) {
    const where = error?.stack?.split("\n").slice(0, 4).join("\n  ") ?? error;
    line = error instanceof Skipped
      ? `skip ${test.name}`
      : KNOWN[test.name] !== undefined
      ? `known ${test.name}`
      : `fail ${test.name}\n  ${where}`;
  }
  if (line.startsWith("pass") && KNOWN[test.name] !== undefined) {
    line =
      `fail ${test.name}\n  It passes, and is on the list of those that do not.`;
  }
  console.log(line);
}
// What a test left open does not matter to the others: they have their own process.
Deno.exit(0);
