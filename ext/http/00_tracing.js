// A span of OpenTelemetry for each request. This file is loaded before the
// program, and only if the environment asks for spans.

import { core, primordials } from "ext:duplex_websocket/00_core.js";
import {
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
  updateName,
} from "ext:duplex_websocket/00_tracing.js";

const {
  ArrayPrototypeFind,
  ArrayPrototypeMap,
  FunctionPrototypeCall,
  ObjectPrototypeIsPrototypeOf,
  PromisePrototypeThen,
  PromiseResolve,
  SafeArrayIterator,
  String,
} = primordials;

const { getInnerResponse, ResponsePrototype } = core.loadExtScript(
  "ext:deno_fetch/23_response.js",
);

/**
 * Calls the handler of a server in a span. The span is a child of the client's
 * span, if the request names one.
 *
 * @param {ServerRequest} inner
 * @param {() => unknown} handle calls the handler
 */
function traceRequest(inner, handle) {
  const { method, headerList } = inner;
  const span = start(method, SERVER, contextOf(headerList));
  setUrl(span, method, inner.url());
  const snapshot = enterSpan(span);
  try {
    const result = handle();
    if (
      result === undefined ||
      ObjectPrototypeIsPrototypeOf(ResponsePrototype, result)
    ) {
      end(span, inner, result);
      return result;
    }
    return PromisePrototypeThen(
      PromiseResolve(result),
      (response) => {
        end(span, inner, response);
        return response;
      },
      (error) => {
        fail(span, error);
        throw error;
      },
    );
  } catch (error) {
    fail(span, error);
    throw error;
  } finally {
    exitSpan(snapshot);
  }
}

function contextOf(headerList) {
  let context = activeContext();
  for (const { extract, propagator } of new SafeArrayIterator(propagators)) {
    // The names of the headers are in lower case.
    context = FunctionPrototypeCall(extract, propagator, context, headerList, {
      __proto__: null,
      get: (headers, wanted) =>
        ArrayPrototypeFind(headers, ({ 0: name }) => name === wanted)?.[1],
      keys: (headers) => ArrayPrototypeMap(headers, ({ 0: name }) => name),
    });
  }
  return context;
}

function end(span, inner, response) {
  const status = statusOf(inner, response);
  if (status === 101) {
    updateName(span, "WebSocket accept");
  }
  if (status !== undefined) {
    setAttribute(span, "http.response.status_code", String(status));
  }
  if (status >= 500) {
    setError(span, String(status), "");
  }
  endSpan(span);
}

/** The status of the answer, if it is known. */
function statusOf(inner, response) {
  if (ObjectPrototypeIsPrototypeOf(ResponsePrototype, response)) {
    return getInnerResponse(response).status;
  }
  return inner.isAnswered ? 101 : undefined;
}

function fail(span, error) {
  let name = "Error";
  let message = "";
  try {
    // These members may be getters of the program, which may throw.
    name = `${error?.name ?? name}`;
    message = `${error?.message ?? error}`;
  } catch {
    // The error then has no name and no message.
  }
  setError(span, name, message);
  endSpan(span);
}

export { traceRequest };
