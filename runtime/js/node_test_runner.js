// Runs the tests of `node:test`, which deno_node leaves to `deno test`. This file is put into
// the script of deno_node (runtime/src/snapshot.rs), which calls runTest() in place of
// Deno.test(). What came of the tests goes to standard output in the form of TAP 13.

// deno-lint-ignore no-unused-vars
const runTest = (() => {
  const {
    ArrayPrototypeShift,
    ArrayPrototypePush,
    String,
    StringPrototypeIncludes,
    StringPrototypeReplaceAll,
    StringPrototypeTrimEnd,
  } = primordials;

  /** Tests that have been registered and not been run. */
  const queue = [];
  /** Of the tests and suites at the top. */
  const total = { count: 0, failed: 0, skipped: 0 };
  let isRunning = false;

  function runTest(options) {
    ArrayPrototypePush(queue, options);
    if (isRunning) return;
    isRunning = true;
    if (total.count === 0) {
      core.print("TAP version 13\n");
      // A test may be registered at any time, so the end is that of the program.
      globalThis.addEventListener("unload", summarize);
    }
    // The module goes on first. `realSetTimeout` is that of deno_node.
    realSetTimeout(runAll, 0);
  }

  async function runAll() {
    while (queue.length > 0) {
      const { text } = await run(ArrayPrototypeShift(queue), "", total);
      core.print(text);
    }
    isRunning = false;
  }

  /** Runs a test, and returns what is to be printed. Those beside it are counted in `all`. */
  async function run({ name, fn, ignore }, indent, all) {
    const number = ++all.count;
    const title = `${number} - ${escape(name)}`;
    if (ignore) {
      all.skipped++;
      return { passed: true, text: `${indent}ok ${title} # SKIP\n` };
    }
    const inner = { count: 0, failed: 0, skipped: 0 };
    let text = "";
    let failure = "";
    let passed = true;
    const step = async (options) => {
      const result = await run(options, `${indent}    `, inner);
      text += result.text;
      return result.passed;
    };
    try {
      await fn({ name, step });
    } catch (error) {
      passed = false;
      failure = describe(error, `${indent}    `);
    }
    if (inner.count > 0) {
      text = `${indent}# Subtest: ${
        escape(name)
      }\n${text}${indent}    1..${inner.count}\n`;
    }
    if (inner.failed > 0) passed = false;
    if (!passed) {
      all.failed++;
      core.ops.op_set_exit_code(1);
    }
    text += `${indent}${passed ? "ok" : "not ok"} ${title}\n`;
    if (failure !== "") {
      text +=
        `${indent}  ---\n${indent}  error: |-\n${failure}${indent}  ...\n`;
    }
    return { passed, text };
  }

  function summarize() {
    const { count, failed, skipped } = total;
    core.print(
      `1..${count}\n# tests ${count}\n# pass ${count - failed - skipped}\n` +
        `# fail ${failed}\n# skipped ${skipped}\n`,
    );
  }

  /** A `#` begins a directive. */
  function escape(name) {
    const text = StringPrototypeReplaceAll(String(name), "\\", "\\\\");
    return StringPrototypeReplaceAll(
      StringPrototypeReplaceAll(text, "#", "\\#"),
      "\n",
      "\\n",
    );
  }

  /** The error's text, with each line behind `indent`. */
  function describe(error, indent) {
    let text;
    try {
      text = String(error);
      const stack = error?.stack;
      // V8's stack begins with the message, QuickJS's does not have it.
      if (typeof stack === "string") {
        const isWhole = StringPrototypeIncludes(stack, text);
        text = isWhole ? stack : `${text}\n${stack}`;
      }
    } catch {
      text = "the test threw a value that has no text";
    }
    const lines = StringPrototypeTrimEnd(text);
    return `${indent}${
      StringPrototypeReplaceAll(lines, "\n", `\n${indent}`)
    }\n`;
  }

  return runTest;
})();
