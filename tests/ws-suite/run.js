// Runs the tests of the package `ws`:
//
//     duplex run -A tests/ws-suite/run.js SUITE CERTIFICATES [INDEX]
//
// runs the test of that number, or tells how many there are. SUITE is a checkout of
// https://github.com/websockets/ws. CERTIFICATES is a folder that takes the place of its
// fixtures, which are of X.509 v1, and which rustls does not take. What Mocha does for the tests is
// done here as far as they need it.

import assert from "node:assert";
import fs from "node:fs";
import { createRequire } from "node:module";
import process from "node:process";
import { KNOWN } from "./known.js";

const TIMEOUT = 2000;

const [suite, certificates, index] = Deno.args;
if (certificates === undefined) {
  console.error("usage: make ws-suite SUITE=DIR");
  Deno.exit(2);
}
Deno.chdir(suite);

const { readFileSync } = fs;
createRequire(import.meta.url)("fs").readFileSync = (path, ...rest) =>
  readFileSync(
    typeof path === "string"
      ? path.replace(/^test\/fixtures/, certificates)
      : path,
    ...rest,
  );

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

Object.assign(globalThis, globals);
const require = createRequire(`${Deno.cwd()}/`);

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
const files = [...Deno.readDirSync("test")].map(({ name }) => name);
for (const name of files.filter((name) => name.endsWith(".test.js")).sort()) {
  require(`./test/${name}`);
}

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
