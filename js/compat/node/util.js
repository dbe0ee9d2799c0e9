// node:util

import { invalidArgType, withCode } from "node:internal/errors";

const custom = Symbol.for("nodejs.util.inspect.custom");
const promisified = Symbol.for("nodejs.util.promisify.custom");

function inspect(value, options, depth, colors) {
  if (typeof options === "boolean") {
    options = { showHidden: options, depth, colors };
  }
  return Deno.inspect(value, options);
}
inspect.custom = custom;

/** Text from a template with %s, %d, %i, %f, %j, %o, %O, %c and %%. */
function format(...args) {
  return formatWithOptions({}, ...args);
}

function formatWithOptions(options, ...args) {
  let text = "";
  let used = 0;
  if (typeof args[0] === "string") {
    used = 1;
    text = args[0].replace(/%[sdifjoOc%]/g, (directive) => {
      if (directive === "%%") {
        return args.length > 1 ? "%" : directive;
      }
      if (used >= args.length) {
        return directive;
      }
      const value = args[used++];
      switch (directive) {
        case "%s":
          return typeof value === "object" && value !== null
            ? inspect(value, { ...options, depth: 0 })
            : String(value);
        case "%d":
          return typeof value === "bigint" ? `${value}n` : `${Number(value)}`;
        case "%i":
          return `${parseInt(value)}`;
        case "%f":
          return `${parseFloat(value)}`;
        case "%j":
          return JSON.stringify(value);
        case "%c":
          return "";
        default:
          return inspect(value, options);
      }
    });
  }
  for (const value of args.slice(used)) {
    const shown = typeof value === "string" ? value : inspect(value, options);
    text += used === 0 && text === "" ? shown : ` ${shown}`;
    used++;
  }
  return text;
}

/** Makes `constructor` inherit from `superConstructor`. */
function inherits(constructor, superConstructor) {
  Object.defineProperty(constructor, "super_", {
    value: superConstructor,
    writable: true,
    configurable: true,
  });
  Object.setPrototypeOf(constructor.prototype, superConstructor.prototype);
}

function promisify(original) {
  if (typeof original !== "function") {
    throw invalidArgType("original", "of type function", original);
  }
  if (original[promisified] !== undefined) {
    return original[promisified];
  }
  return function (...args) {
    return new Promise((resolve, reject) =>
      original.call(
        this,
        ...args,
        (error, value) => error ? reject(error) : resolve(value),
      )
    );
  };
}
promisify.custom = promisified;

function callbackify(original) {
  return function (...args) {
    const callback = args.pop();
    original.apply(this, args).then(
      (value) => queueMicrotask(() => callback(null, value)),
      (error) => queueMicrotask(() => callback(error)),
    );
  };
}

const warned = new Set();

function deprecate(original, message, code) {
  return function (...args) {
    const key = code ?? message;
    if (!warned.has(key)) {
      warned.add(key);
      console.warn(
        `DeprecationWarning: ${code ? `[${code}] ` : ""}${message}`,
      );
    }
    return new.target
      ? Reflect.construct(original, args, new.target)
      : original.apply(this, args);
  };
}

/** Whether two values are the same in structure; `strict` compares types as well. */
function isDeepStrictEqual(a, b) {
  return isDeepEqual(a, b, true, []);
}

function isDeepEqual(a, b, strict, seen) {
  if (strict ? Object.is(a, b) : (a == b || (a !== a && b !== b))) {
    return true;
  }
  if (
    typeof a !== "object" || typeof b !== "object" || a === null || b === null
  ) {
    return false;
  }
  if (strict && Object.getPrototypeOf(a) !== Object.getPrototypeOf(b)) {
    return false;
  }
  if (seen.some(([x, y]) => x === a && y === b)) {
    return true;
  }
  const inner = [...seen, [a, b]];
  const same = (x, y) => isDeepEqual(x, y, strict, inner);
  if (Array.isArray(a) !== Array.isArray(b)) {
    return false;
  }
  if (ArrayBuffer.isView(a) && ArrayBuffer.isView(b)) {
    return sameBytes(
      new Uint8Array(a.buffer, a.byteOffset, a.byteLength),
      new Uint8Array(b.buffer, b.byteOffset, b.byteLength),
    );
  }
  if (a instanceof ArrayBuffer && b instanceof ArrayBuffer) {
    return sameBytes(new Uint8Array(a), new Uint8Array(b));
  }
  if (a instanceof Date && b instanceof Date) {
    return a.getTime() === b.getTime();
  }
  if (a instanceof RegExp && b instanceof RegExp) {
    return String(a) === String(b) && a.lastIndex === b.lastIndex;
  }
  if (a instanceof Error && b instanceof Error) {
    if (a.message !== b.message || a.name !== b.name) {
      return false;
    }
  }
  if (a instanceof Set && b instanceof Set) {
    return a.size === b.size &&
      [...a].every((x) => b.has(x) || [...b].some((y) => same(x, y)));
  }
  if (a instanceof Map && b instanceof Map) {
    return a.size === b.size &&
      [...a].every(([key, value]) => b.has(key) && same(value, b.get(key)));
  }
  for (const Box of [Number, String, Boolean]) {
    if (a instanceof Box || b instanceof Box) {
      if (!Object.is(a.valueOf(), b.valueOf())) {
        return false;
      }
    }
  }
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length &&
    keys.every((key) => Object.hasOwn(b, key) && same(a[key], b[key]));
}

function sameBytes(a, b) {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

function toUSVString(text) {
  return String(text).toWellFormed();
}

function stripVTControlCharacters(text) {
  // deno-lint-ignore no-control-regex
  return text.replace(/\u001b\[[0-9;]*[A-Za-z]/g, "");
}

function debuglog() {
  return Object.assign(() => {}, { enabled: false });
}

function getSystemErrorName() {
  throw withCode(
    new Error("util.getSystemErrorName() is not supported by duplex"),
    "ERR_METHOD_NOT_IMPLEMENTED",
  );
}

const { TextDecoder, TextEncoder } = globalThis;
const isArray = Array.isArray;
const debug = debuglog;

const types = {
  isAnyArrayBuffer: (value) =>
    value instanceof ArrayBuffer ||
    (typeof SharedArrayBuffer !== "undefined" &&
      value instanceof SharedArrayBuffer),
  isArrayBuffer: (value) => value instanceof ArrayBuffer,
  isArrayBufferView: ArrayBuffer.isView,
  isDate: (value) => value instanceof Date,
  isMap: (value) => value instanceof Map,
  isNativeError: (value) => value instanceof Error,
  isPromise: (value) => value instanceof Promise,
  isRegExp: (value) => value instanceof RegExp,
  isSet: (value) => value instanceof Set,
  isTypedArray: (value) =>
    ArrayBuffer.isView(value) && !(value instanceof DataView),
  isUint8Array: (value) => value instanceof Uint8Array,
};

export default {
  callbackify,
  debug,
  debuglog,
  deprecate,
  format,
  formatWithOptions,
  getSystemErrorName,
  inherits,
  inspect,
  isArray,
  isDeepStrictEqual,
  promisify,
  stripVTControlCharacters,
  TextDecoder,
  TextEncoder,
  toUSVString,
  types,
};
export {
  callbackify,
  debug,
  debuglog,
  deprecate,
  format,
  formatWithOptions,
  getSystemErrorName,
  inherits,
  inspect,
  isArray,
  isDeepEqual,
  isDeepStrictEqual,
  promisify,
  stripVTControlCharacters,
  TextDecoder,
  TextEncoder,
  toUSVString,
  types,
};
