import { core, internals, primordials } from "ext:core/mod.js";
import { op_test_report } from "ext:core/ops";
import { serve } from "ext:duplex_http/02_websocket_handler.js";
import { upgradeWebSocket } from "ext:duplex_http/01_upgrade.js";

const load = core.loadExtScript;

class AddrInUse extends Error {
  name = "AddrInUse";
}
class Http extends Error {
  name = "Http";
}
core.registerErrorClass("AddrInUse", AddrInUse);
core.registerErrorClass("Http", Http);

const { setTimeout, clearTimeout } = load("ext:deno_web/02_timers.js");
const { AbortController, AbortSignal } = load(
  "ext:deno_web/03_abort_signal.js",
);
const { ReadableStream, TransformStream } = load("ext:deno_web/06_streams.js");
const { TextDecoder, TextEncoder } = load("ext:deno_web/08_text_encoding.js");
const { Blob } = load("ext:deno_web/09_file.js");
const { Headers } = load("ext:deno_fetch/20_headers.js");
const { FormData } = load("ext:deno_fetch/21_formdata.js");
const { Request } = load("ext:deno_fetch/23_request.js");
const { Response } = load("ext:deno_fetch/23_response.js");
const { URL } = load("ext:deno_web/00_url.js");
const { DOMException } = load("ext:deno_web/01_dom_exception.js");

const define = (members) => {
  for (const name of Object.keys(members)) {
    Object.defineProperty(globalThis, name, {
      value: members[name],
      writable: true,
      configurable: true,
    });
  }
};

const report = (...args) => op_test_report(args.map(String).join(" "));

define({
  AbortController,
  AbortSignal,
  Blob,
  clearTimeout,
  Deno: {
    core,
    serve,
    upgradeWebSocket,
    errors: { AddrInUse, Http },
  },
  DOMException,
  FormData,
  Headers,
  ReadableStream,
  Request,
  Response,
  setTimeout,
  TextDecoder,
  TextEncoder,
  TransformStream,
  URL,
  primordials,
  report,
  sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
  // What an expression throws, as "Class: message".
  thrown: (f) => {
    try {
      f();
    } catch (error) {
      return `${error.constructor.name}: ${error.message}`;
    }
    return "nothing";
  },
});

internals.log = (level, ...args) => report(level, ...args);
