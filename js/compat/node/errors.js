// Errors as Node.js has them: with a `code`, and with that of the system where
// one of Deno's errors stands for it.

/** Makes a class of errors whose `code` is `code`. */
function errorClass(Base, code, message) {
  return class extends Base {
    constructor(...args) {
      super(typeof message === "function" ? message(...args) : message);
      this.code = code;
    }

    get name() {
      return Base.name;
    }

    toString() {
      return `${Base.name} [${code}]: ${this.message}`;
    }
  };
}

function withCode(error, code) {
  error.code = code;
  return error;
}

/** What Node.js calls an error of the system, by Deno's class for it. */
const SYSTEM_CODES = {
  __proto__: null,
  AddrInUse: "EADDRINUSE",
  AddrNotAvailable: "EADDRNOTAVAIL",
  AlreadyExists: "EEXIST",
  BadResource: "EBADF",
  BrokenPipe: "EPIPE",
  ConnectionAborted: "ECONNABORTED",
  ConnectionRefused: "ECONNREFUSED",
  ConnectionReset: "ECONNRESET",
  FilesystemLoop: "ELOOP",
  IsADirectory: "EISDIR",
  NetworkUnreachable: "ENETUNREACH",
  NotADirectory: "ENOTDIR",
  NotConnected: "ENOTCONN",
  NotFound: "ENOENT",
  PermissionDenied: "EACCES",
  TimedOut: "ETIMEDOUT",
};

/**
 * The error of a system call. What has no name in Node.js, such as a permission that
 * is missing, stays as it is.
 *
 * @param {Error} error of Deno
 * @param {string} syscall such as "connect"
 * @param {string=} target what it was called with
 */
function systemError(error, syscall, target) {
  let code = SYSTEM_CODES[error?.name];
  if (code === undefined) {
    return error;
  }
  if (syscall === "getaddrinfo") {
    code = "ENOTFOUND";
  }
  const message = `${syscall} ${code}${
    target === undefined ? "" : ` ${target}`
  }`;
  const result = new Error(message, { cause: error });
  result.code = code;
  result.syscall = syscall;
  return result;
}

/** Throws for what this module of Node.js has and duplex has not. */
function missing(what) {
  const error = new Error(
    `${what} is not supported by duplex: it has the part of Node.js that WebSocket servers and clients use`,
  );
  error.code = "ERR_METHOD_NOT_IMPLEMENTED";
  return error;
}

/** A function that is there to say that it is not. */
function unsupported(what) {
  return function () {
    throw missing(what);
  };
}

function invalidArgType(name, expected, actual) {
  const received = actual === null || actual === undefined
    ? `${actual}`
    : typeof actual === "function"
    ? `function ${actual.name}`
    : typeof actual === "object"
    ? `an instance of ${actual.constructor?.name ?? "Object"}`
    : `type ${typeof actual}`;
  return withCode(
    new TypeError(
      `The "${name}" argument must be ${expected}. Received ${received}`,
    ),
    "ERR_INVALID_ARG_TYPE",
  );
}

export {
  errorClass,
  invalidArgType,
  missing,
  systemError,
  unsupported,
  withCode,
};
