// node:assert

import { inspect, isDeepEqual } from "node:util";

class AssertionError extends Error {
  constructor({ message, actual, expected, operator }) {
    super(
      message ??
        `${inspect(actual)} ${operator} ${inspect(expected)}`,
    );
    this.name = "AssertionError";
    this.code = "ERR_ASSERTION";
    this.generatedMessage = message === undefined;
    this.actual = actual;
    this.expected = expected;
    this.operator = operator;
  }
}

function fail(message, actual, expected, operator) {
  if (message instanceof Error) {
    throw message;
  }
  throw new AssertionError({ message, actual, expected, operator });
}

function ok(value, message) {
  if (!value) {
    fail(
      message ?? `The expression evaluated to a falsy value: ${inspect(value)}`,
      value,
      true,
      "==",
    );
  }
}

function comparison(operator, holds) {
  return function (actual, expected, message) {
    if (!holds(actual, expected)) {
      fail(message, actual, expected, operator);
    }
  };
}

const equal = comparison("==", (a, b) => a == b || (a !== a && b !== b));
const notEqual = comparison("!=", (a, b) => a != b);
const strictEqual = comparison("strictEqual", Object.is);
const notStrictEqual = comparison("notStrictEqual", (a, b) => !Object.is(a, b));
const deepEqual = comparison(
  "deepEqual",
  (a, b) => isDeepEqual(a, b, false, []),
);
const deepStrictEqual = comparison(
  "deepStrictEqual",
  (a, b) => isDeepEqual(a, b, true, []),
);
const notDeepEqual = comparison(
  "notDeepEqual",
  (a, b) => !isDeepEqual(a, b, false, []),
);
const notDeepStrictEqual = comparison(
  "notDeepStrictEqual",
  (a, b) => !isDeepEqual(a, b, true, []),
);

function match(text, pattern, message) {
  if (!pattern.test(text)) {
    fail(message, text, pattern, "match");
  }
}

function doesNotMatch(text, pattern, message) {
  if (pattern.test(text)) {
    fail(message, text, pattern, "doesNotMatch");
  }
}

function ifError(value) {
  if (value !== null && value !== undefined) {
    throw value instanceof Error ? value : new AssertionError({
      message: `ifError got unwanted exception: ${inspect(value)}`,
      actual: value,
      expected: null,
      operator: "ifError",
    });
  }
}

function checkThrown(error, expected, message) {
  if (expected === undefined || typeof expected === "string") {
    return;
  }
  if (expected instanceof RegExp) {
    match(String(error), expected, message);
  } else if (typeof expected === "function") {
    if (expected.prototype !== undefined && error instanceof expected) {
      return;
    }
    if (expected === Error || expected.prototype instanceof Error) {
      throw error;
    }
    if (expected.call({}, error) !== true) {
      fail(
        message ?? "The validation function returned no true",
        error,
        expected,
        "throws",
      );
    }
  } else {
    for (const key of Object.keys(expected)) {
      if (expected[key] instanceof RegExp && typeof error[key] === "string") {
        match(error[key], expected[key], message);
      } else {
        deepStrictEqual(error[key], expected[key], message);
      }
    }
  }
}

function throws(run, expected, message) {
  try {
    run();
  } catch (error) {
    checkThrown(error, expected, message);
    return;
  }
  fail(
    (typeof expected === "string" ? expected : message) ??
      "Missing expected exception.",
    undefined,
    expected,
    "throws",
  );
}

function doesNotThrow(run, message) {
  try {
    run();
  } catch (error) {
    fail(
      typeof message === "string"
        ? message
        : `Got unwanted exception: ${error?.message}`,
      error,
      undefined,
      "doesNotThrow",
    );
  }
}

async function rejects(promise, expected, message) {
  try {
    await (typeof promise === "function" ? promise() : promise);
  } catch (error) {
    checkThrown(error, expected, message);
    return;
  }
  fail(
    message ?? "Missing expected rejection.",
    undefined,
    expected,
    "rejects",
  );
}

async function doesNotReject(promise, message) {
  try {
    await (typeof promise === "function" ? promise() : promise);
  } catch (error) {
    fail(
      message ?? `Got unwanted rejection: ${error?.message}`,
      error,
      undefined,
      "doesNotReject",
    );
  }
}

const failed = (message = "Failed") =>
  fail(message, undefined, undefined, "fail");

function assert(value, message) {
  ok(value, message);
}

const members = {
  AssertionError,
  deepEqual,
  deepStrictEqual,
  doesNotMatch,
  doesNotReject,
  doesNotThrow,
  equal,
  fail: failed,
  ifError,
  match,
  notDeepEqual,
  notDeepStrictEqual,
  notEqual,
  notStrictEqual,
  ok,
  rejects,
  strictEqual,
  throws,
};
const strict = Object.assign((value, message) => ok(value, message), members, {
  deepEqual: deepStrictEqual,
  equal: strictEqual,
  notDeepEqual: notDeepStrictEqual,
  notEqual: notStrictEqual,
});
strict.strict = strict;
Object.assign(assert, members, { strict });

export default assert;
export {
  AssertionError,
  deepEqual,
  deepStrictEqual,
  doesNotMatch,
  doesNotReject,
  doesNotThrow,
  equal,
  failed as fail,
  ifError,
  match,
  notDeepEqual,
  notDeepStrictEqual,
  notEqual,
  notStrictEqual,
  ok,
  rejects,
  strict,
  strictEqual,
  throws,
};
