// What the specs check with. Small on purpose: a spec should show what it does.

export function assert(condition, message = "assertion failed") {
  if (!condition) throw new Error(message);
}

export function assertEquals(actual, expected, message = "") {
  const a = show(actual);
  const e = show(expected);
  if (a !== e) throw new Error(`${message} expected ${e}, got ${a}`.trim());
}

/** Calls `body` and returns what it threw, checked by name and text. */
export function assertThrows(body, name, text = "") {
  let value;
  try {
    value = body();
  } catch (error) {
    return checkError(error, name, text);
  }
  throw new Error(`expected ${name}, got the value ${show(value)}`);
}

/** The same for a promise. */
export async function assertRejects(promise, name, text = "") {
  let value;
  try {
    value = await promise;
  } catch (error) {
    return checkError(error, name, text);
  }
  throw new Error(`expected ${name}, got the value ${show(value)}`);
}

/** The next event of a type. */
export function once(target, type) {
  return new Promise((resolve) => {
    target.addEventListener(type, resolve, { once: true });
  });
}

function checkError(error, name, text) {
  if (error?.name !== name || !String(error.message).includes(text)) {
    throw new Error(`expected ${name} with "${text}", got ${error}`);
  }
  return error;
}

function show(value) {
  if (value instanceof ArrayBuffer) value = new Uint8Array(value);
  if (ArrayBuffer.isView(value)) {
    return `${value.constructor.name}[${[...value]}]`;
  }
  if (Array.isArray(value)) return `[${value.map(show).join(", ")}]`;
  if (value !== null && typeof value === "object") {
    const fields = Object.keys(value).sort();
    return `{${fields.map((key) => `${key}: ${show(value[key])}`).join(", ")}}`;
  }
  return typeof value === "string" ? JSON.stringify(value) : String(value);
}
