// Runs the tests of `node:test`, which deno_node leaves to `deno test`. This
// file is inserted into the script of deno_node (runtime/src/snapshot.rs), which
// calls runTest() instead of Deno.test(). The results go to standard output in
// the format TAP 13.

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

  /** Tests that are registered but have not been run. */
  const queue = [];
  /** The counts of the tests and suites at the top level. */
  const total = { count: 0, failed: 0, skipped: 0 };
  let isRunning = false;

  function runTest(options) {
    ArrayPrototypePush(queue, options);
    if (isRunning) return;
    isRunning = true;
    if (total.count === 0) {
      core.print("TAP version 13\n");
      // A test may be registered at any time, so the summary comes at the end
      // of the program.
      globalThis.addEventListener("unload", summarize);
    }
    // The rest of the module runs first. `realSetTimeout` is a variable of
    // deno_node's script.
    realSetTimeout(runAll, 0);
  }

  async function runAll() {
    while (queue.length > 0) {
      const { text } = await run(ArrayPrototypeShift(queue), "", total);
      core.print(text);
    }
    isRunning = false;
  }

  /**
   * Runs a test, and returns the text to print. `all` counts the tests of the
   * same level.
   */
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

  /** Escapes a name. A `#` would begin a directive. */
  function escape(name) {
    const text = StringPrototypeReplaceAll(String(name), "\\", "\\\\");
    return StringPrototypeReplaceAll(
      StringPrototypeReplaceAll(text, "#", "\\#"),
      "\n",
      "\\n",
    );
  }

  /** The error's text, with `indent` before each line. */
  function describe(error, indent) {
    let text;
    try {
      text = String(error);
      const stack = error?.stack;
      // V8's stack begins with the message, but QuickJS's does not contain it.
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
