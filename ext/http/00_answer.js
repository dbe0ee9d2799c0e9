// The answer of a server to a request, made from what a handler returns or
// throws.

import { core, internals, primordials } from "ext:duplex_websocket/00_core.js";
import { refusalResponse } from "ext:duplex_http/00_refusal.js";

const {
  ArrayPrototypeUnshift,
  FunctionPrototypeApply,
  ObjectPrototypeIsPrototypeOf,
  PromisePrototype,
  PromisePrototypeThen,
  PromiseResolve,
  TypeError,
} = primordials;

const {
  getInnerResponse,
  Response,
  responseBodyUsed,
  ResponsePrototype,
} = core.loadExtScript("ext:deno_fetch/23_response.js");

function log(level, ...args) {
  if (level === "info" && internals.isQuiet) {
    return;
  }
  const { log } = internals;
  if (log !== undefined) {
    ArrayPrototypeUnshift(args, level);
    FunctionPrototypeApply(log, internals, args);
    return;
  }
  // This is the program's console. The program may have replaced or deleted it.
  const { console } = globalThis;
  const error = console?.error;
  if (typeof error === "function") {
    FunctionPrototypeApply(error, console, args);
  }
}

function answer(server, inner, response) {
  if (inner.isGivenUp) {
    return;
  }
  try {
    if (response === undefined) {
      if (inner.isAnswered) {
        // upgrade() has answered the request.
        return;
      }
      response = refusalResponse(inner.refusal);
    }
    checkResponse(response, "serve");
    if (inner.isAnswered) {
      throw new TypeError(
        "A handler that has upgraded the request must return nothing, not a Response",
      );
    }
    inner.respond(response);
  } catch (error) {
    recover(server, inner, error);
  }
}

function recover(server, inner, error) {
  if (inner.isAnswered) {
    log("error", error);
    return;
  }
  let result;
  try {
    const onError = server.onError;
    result = onError(error);
  } catch (error) {
    giveUp(inner, error);
    return;
  }
  if (ObjectPrototypeIsPrototypeOf(ResponsePrototype, result)) {
    answerError(inner, result);
    return;
  }
  PromisePrototypeThen(
    PromiseResolve(result),
    (response) => answerError(inner, response),
    (error) => giveUp(inner, error),
  );
}

function answerError(inner, response) {
  try {
    checkResponse(response, "onError");
    inner.respond(response);
  } catch (error) {
    giveUp(inner, error);
  }
}

function giveUp(inner, error) {
  log("error", "Exception in onError while handling exception", error);
  try {
    inner.respond(internalServerError());
  } catch {
    inner.abandon();
  }
}

function checkResponse(response, source) {
  if (!ObjectPrototypeIsPrototypeOf(ResponsePrototype, response)) {
    throw new TypeError(
      `Return value from ${source} handler must be a response or a promise resolving to a response`,
    );
  }
  const inner = getInnerResponse(response);
  if (inner === undefined) {
    throw new TypeError(
      `Return value from ${source} handler must be a Response constructed via the Response constructor in this realm`,
    );
  }
  if (inner.type === "error") {
    throw new TypeError(
      `Return value from ${source} handler must not be an error response (like Response.error())`,
    );
  }
  if (responseBodyUsed(response)) {
    throw new TypeError(
      `The body of the Response returned from the ${source} handler has already been consumed`,
    );
  }
}

// The head of the response has been sent, so the error can only be reported.
function reportStreamError(onError, error) {
  const failed = (error) =>
    log("error", "Exception in onError while handling exception", error);
  let result;
  try {
    result = onError(error);
  } catch (error) {
    failed(error);
    return;
  }
  if (ObjectPrototypeIsPrototypeOf(PromisePrototype, result)) {
    PromisePrototypeThen(result, undefined, failed);
  }
}

function defaultOnError(error) {
  const refusal = refusalResponse(error);
  if (refusal !== undefined) {
    return refusal;
  }
  log("error", error);
  return internalServerError();
}

function internalServerError() {
  return new Response(core.encode("Internal Server Error"), { status: 500 });
}

export {
  answer,
  checkResponse,
  defaultOnError,
  internalServerError,
  log,
  recover,
  reportStreamError,
};
