// Spans of OpenTelemetry. This file is loaded before the program, and only if
// the environment asks for spans.

import { core, primordials } from "ext:duplex_websocket/00_core.js";
import { url as urlPrototype } from "ext:duplex_websocket/00_prototypes.js";

const {
  ArrayPrototypeMap,
  ArrayPrototypePush,
  FunctionPrototypeCall,
  SafeArrayIterator,
  PromisePrototypeThen,
  StringPrototypeSlice,
  uncurryThis,
} = primordials;

const { URL } = core.loadExtScript("ext:deno_web/00_url.js");
const {
  builtinTracer,
  ContextManager,
  enterSpan,
  exitSpan,
  Span,
  otelState,
} = core.loadExtScript("ext:deno_telemetry/telemetry.ts");

// The methods are taken now, because a program can change these classes.
const setAttribute = uncurryThis(Span.prototype.setAttribute);
const setStatus = uncurryThis(Span.prototype.setStatus);
const updateName = uncurryThis(Span.prototype.updateName);
const endSpan = uncurryThis(Span.prototype.end);
const tracer = builtinTracer();
const startSpan = tracer.startSpan;
const { active } = ContextManager;
const propagators = ArrayPrototypeMap(
  otelState.PROPAGATORS,
  (propagator) => ({
    inject: propagator.inject,
    extract: propagator.extract,
    propagator,
  }),
);

// Values of OpenTelemetry's SpanKind.
const SERVER = 1;
const CLIENT = 2;
// A value of OpenTelemetry's SpanStatusCode.
const ERROR = 2;

function activeContext() {
  return FunctionPrototypeCall(active, ContextManager);
}

function start(name, kind, context = undefined) {
  return FunctionPrototypeCall(
    startSpan,
    tracer,
    name,
    { __proto__: null, kind },
    context,
  );
}

function setUrl(span, method, text) {
  const url = new URL(text);
  const part = (getter) => FunctionPrototypeCall(getter, url);
  setAttribute(span, "http.request.method", method);
  setAttribute(span, "url.full", text);
  setAttribute(
    span,
    "url.scheme",
    StringPrototypeSlice(part(urlPrototype.protocol), 0, -1),
  );
  setAttribute(span, "url.path", part(urlPrototype.pathname));
  setAttribute(
    span,
    "url.query",
    StringPrototypeSlice(part(urlPrototype.search), 1),
  );
}

function setError(span, type, message) {
  setAttribute(span, "error.type", type);
  setStatus(span, { __proto__: null, code: ERROR, message });
}

/**
 * Dials by `create`, in a span. Headers tell the server the context of the
 * span.
 *
 * @template T
 * @param {string} url a `ws` or `wss` URL
 * @param {[string, string][]} headers of the request; the headers of the trace
 *   are added
 * @param {() => Promise<T>} create
 * @returns {Promise<T>}
 */
function traceDial(url, headers, create) {
  const span = start("WebSocket connect", CLIENT);
  setUrl(span, "GET", url);
  const snapshot = enterSpan(span);
  try {
    for (
      const { inject, propagator } of new SafeArrayIterator(propagators)
    ) {
      FunctionPrototypeCall(inject, propagator, activeContext(), headers, {
        __proto__: null,
        set: (headers, name, value) =>
          ArrayPrototypePush(headers, [name, value]),
      });
    }
    return PromisePrototypeThen(
      create(),
      (connection) => {
        setAttribute(span, "http.response.status_code", "101");
        if (connection.protocol !== "") {
          setAttribute(span, "websocket.subprotocol", connection.protocol);
        }
        endSpan(span);
        return connection;
      },
      (error) => {
        setError(span, error.name, error.message);
        endSpan(span);
        throw error;
      },
    );
  } finally {
    exitSpan(snapshot);
  }
}

export {
  activeContext,
  endSpan,
  enterSpan,
  exitSpan,
  propagators,
  SERVER,
  setAttribute,
  setError,
  setUrl,
  start,
  traceDial,
  updateName,
};
