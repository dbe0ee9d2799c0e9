// `Deno.errors`, and the JavaScript error of each error class of the ops.

import { core, primordials } from "ext:core/mod.js";
const { Error, ObjectDefineProperty } = primordials;

const NAMES = [
  "NotFound",
  "PermissionDenied",
  "ConnectionRefused",
  "ConnectionReset",
  "ConnectionAborted",
  "NotConnected",
  "AddrInUse",
  "AddrNotAvailable",
  "BrokenPipe",
  "AlreadyExists",
  "InvalidData",
  "TimedOut",
  "WriteZero",
  "WouldBlock",
  "UnexpectedEof",
  "Http",
  "Busy",
  "NotSupported",
  "FilesystemLoop",
  "IsADirectory",
  "NetworkUnreachable",
  "NotADirectory",
];

const DOM_EXCEPTION_NAMES = [
  "AbortError",
  "DataError",
  "EncodingError",
  "HierarchyRequestError",
  "IndexSizeError",
  "InvalidAccessError",
  "InvalidCharacterError",
  "InvalidStateError",
  "NetworkError",
  "NotSupportedError",
  "OperationError",
  "SyntaxError",
  "TimeoutError",
  "TypeMismatchError",
];

const errors = {
  // deno_core throws these itself, and so it defines their classes.
  BadResource: core.BadResource,
  Interrupted: core.Interrupted,
  NotCapable: core.NotCapable,
};

function errorClass(name) {
  const constructor = class extends Error {
    constructor(message, options) {
      super(message, options);
      this.name = name;
    }
  };
  ObjectDefineProperty(constructor, "name", {
    __proto__: null,
    value: name,
    configurable: true,
  });
  return constructor;
}

for (let i = 0; i < NAMES.length; i++) {
  const name = NAMES[i];
  errors[name] = errorClass(name);
  core.registerErrorClass(name, errors[name]);
}

const loadDOMException = () =>
  core.loadExtScript("ext:deno_web/01_dom_exception.js");

for (let i = 0; i < DOM_EXCEPTION_NAMES.length; i++) {
  const name = DOM_EXCEPTION_NAMES[i];
  core.registerErrorBuilder(`DOMException${name}`, (message) => {
    const { DOMException } = loadDOMException();
    return new DOMException(message, name);
  });
}
core.registerErrorBuilder("DOMExceptionQuotaExceededError", (message) => {
  const { QuotaExceededError } = loadDOMException();
  return new QuotaExceededError(message);
});

export { errors };
