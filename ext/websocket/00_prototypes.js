// The functions of prototypes that a script can change. This file is evaluated
// before any script runs. Other files of the extension may be loaded later.

import { core, primordials } from "ext:duplex_websocket/00_core.js";

const { ObjectGetOwnPropertyDescriptor } = primordials;

const { URL } = core.loadExtScript("ext:deno_web/00_url.js");
const { AbortSignalPrototype, add, remove } = core.loadExtScript(
  "ext:deno_web/03_abort_signal.js",
);
const { WritableStreamDefaultController } = core.loadExtScript(
  "ext:deno_web/06_streams.js",
);
const { BlobPrototype } = core.loadExtScript("ext:deno_web/09_file.js");
const { Headers } = core.loadExtScript("ext:deno_fetch/20_headers.js");
const { Response } = core.loadExtScript("ext:deno_fetch/23_response.js");

const getter = (prototype, name) =>
  ObjectGetOwnPropertyDescriptor(prototype, name).get;
const setter = (prototype, name) =>
  ObjectGetOwnPropertyDescriptor(prototype, name).set;

// The functions are called with `FunctionPrototypeCall`.

const url = {
  __proto__: null,
  hash: getter(URL.prototype, "hash"),
  host: getter(URL.prototype, "host"),
  hostname: getter(URL.prototype, "hostname"),
  href: getter(URL.prototype, "href"),
  origin: getter(URL.prototype, "origin"),
  password: getter(URL.prototype, "password"),
  pathname: getter(URL.prototype, "pathname"),
  protocol: getter(URL.prototype, "protocol"),
  search: getter(URL.prototype, "search"),
  setPassword: setter(URL.prototype, "password"),
  setProtocol: setter(URL.prototype, "protocol"),
  setUsername: setter(URL.prototype, "username"),
  username: getter(URL.prototype, "username"),
};

const abortSignal = {
  __proto__: null,
  add: AbortSignalPrototype[add],
  reason: getter(AbortSignalPrototype, "reason"),
  remove: AbortSignalPrototype[remove],
};

const writableController = {
  __proto__: null,
  error: WritableStreamDefaultController.prototype.error,
  signal: getter(WritableStreamDefaultController.prototype, "signal"),
};

const headers = {
  __proto__: null,
  delete: Headers.prototype.delete,
  get: Headers.prototype.get,
  set: Headers.prototype.set,
};

const blobArrayBuffer = BlobPrototype.arrayBuffer;
const blobSize = getter(BlobPrototype, "size");
const responseStatus = getter(Response.prototype, "status");
const responseClone = Response.prototype.clone;

export {
  abortSignal,
  blobArrayBuffer,
  blobSize,
  headers,
  responseClone,
  responseStatus,
  url,
  writableController,
};
