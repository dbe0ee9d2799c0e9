// Makes a program of a page. The runner appends a call of `run` to this file.

const MARK = "##wpt ";
const { stringify } = JSON;
const print = console.log;
const { exit } = Deno;
const startTimer = setTimeout;
const evaluate = eval;

const TEST_STATUS = [
  "PASS",
  "FAIL",
  "TIMEOUT",
  "NOTRUN",
  "PRECONDITION_FAILED",
];
const HARNESS_STATUS = ["OK", "ERROR", "TIMEOUT", "PRECONDITION_FAILED"];

/**
 * @param {string} harness testharness.js
 * @param {string} script all other scripts of the page
 * @param {boolean} isAny whether the script asks what its global is
 * @param {number} timeout in milliseconds
 */
// deno-lint-ignore no-unused-vars
function run({ harness, script, isAny, timeout }) {
  globalThis.window = globalThis;
  if (isAny) {
    globalThis.GLOBAL = {
      isWindow: () => true,
      isWorker: () => false,
      isShadowRealm: () => false,
    };
  }
  // A page goes on after an exception. testharness.js has its own listeners for
  // exceptions.
  const keepRunning = (event) => event.preventDefault();
  addEventListener("error", keepRunning);
  addEventListener("unhandledrejection", keepRunning);

  evaluate(harness);
  add_result_callback((test) =>
    report({
      subtest: String(test.name).toWellFormed(),
      status: TEST_STATUS[test.status],
      message: text(test.message),
    })
  );
  add_completion_callback((_tests, harness) => {
    report({
      harness: HARNESS_STATUS[harness.status],
      message: text(harness.message),
    });
    exit(0);
  });
  // In a shell, testharness.js has no timeout of its own.
  startTimer(globalThis.timeout, timeout);
  try {
    evaluate(script);
  } catch (error) {
    report({ harness: "ERROR", message: text(error?.stack ?? error) });
    exit(0);
  }
}

function text(message) {
  return message === null || message === undefined
    ? null
    : String(message).toWellFormed();
}

function report(result) {
  print(MARK + stringify(result));
}
