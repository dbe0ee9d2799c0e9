// `Deno.serveHttp`: a connection that the script accepted itself, served by
// iteration. Deno had it until 2.0.

import { core, primordials } from "ext:core/mod.js";
import {
  checkResponse,
  internalServerError,
} from "ext:duplex_http/00_answer.js";
import { refusalResponse } from "ext:duplex_http/00_refusal.js";
import { serveConnection } from "ext:duplex_http/00_serve.js";

const { op_http_abort } = core.ops;
const {
  ArrayPrototypePush,
  ArrayPrototypeShift,
  Promise,
  PromisePrototypeThen,
  PromiseResolve,
  SymbolAsyncIterator,
  SymbolDispose,
  TypeError,
} = primordials;

const { fromInnerRequest } = core.loadExtScript(
  "ext:deno_fetch/23_request.js",
);

/** One request and the way to answer it. */
class RequestEvent {
  #inner;
  #isAnswered = false;
  request;

  constructor(inner) {
    this.#inner = inner;
    this.request = fromInnerRequest(inner, "immutable");
    inner.request = this.request;
  }

  /**
   * @param {Response | Promise<Response>} response
   * @returns {Promise<void>} when it is sent. It rejects with what the handler threw,
   *   whose client gets status 500, and where the client has gone; the latter counts as
   *   handled, so that no client can end the program
   */
  respondWith = (response) => {
    if (this.#isAnswered) {
      throw new TypeError("respondWith() was called before for this request");
    }
    this.#isAnswered = true;
    let resolve, reject;
    const promise = new Promise((a, b) => {
      resolve = a;
      reject = b;
    });
    PromisePrototypeThen(
      this.#respond(response),
      ({ sent }) =>
        PromisePrototypeThen(PromiseResolve(sent), resolve, (error) => {
          PromisePrototypeThen(promise, undefined, () => {});
          reject(error);
        }),
      reject,
    );
    return promise;
  };

  // Resolves when the answer is given, with the promise that it is sent.
  async #respond(response) {
    const inner = this.#inner;
    try {
      const answer = await response;
      checkResponse(answer, "respondWith()");
      const isUpgrade = answer.status === 101;
      inner.respond(answer);
      return { __proto__: null, sent: isUpgrade ? undefined : inner.completed };
    } catch (error) {
      const refusal = refusalResponse(error);
      try {
        inner.respond(refusal ?? internalServerError());
      } catch {
        inner.abandon();
      }
      if (refusal === undefined) {
        throw error;
      }
      return { __proto__: null, sent: undefined };
    }
  }
}

class HttpConn {
  #rid;
  #closed = false;
  // Requests that nobody has asked for yet, or those who wait for one.
  #requests = [];
  #waiting = [];

  constructor(conn) {
    const { rid, ended } = serveConnection(conn, (inner) => {
      const event = new RequestEvent(inner);
      const resolve = ArrayPrototypeShift(this.#waiting);
      if (resolve !== undefined) {
        resolve(event);
      } else {
        ArrayPrototypePush(this.#requests, event);
      }
    });
    this.#rid = rid;
    const end = () => this.#end();
    PromisePrototypeThen(ended, end, end);
  }

  get rid() {
    return this.#rid;
  }

  /** The next request, or null when the connection has ended. */
  nextRequest() {
    const event = ArrayPrototypeShift(this.#requests);
    if (event !== undefined) {
      return PromiseResolve(event);
    }
    if (this.#closed) {
      return PromiseResolve(null);
    }
    return new Promise((resolve) => ArrayPrototypePush(this.#waiting, resolve));
  }

  /** Ends the connection at once. WebSockets that it became live on. */
  close() {
    if (!this.#closed) {
      op_http_abort(this.#rid);
      this.#end();
    }
  }

  #end() {
    this.#closed = true;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (let i = 0; i < waiting.length; i++) {
      waiting[i](null);
    }
  }

  async next() {
    const value = await this.nextRequest();
    return value === null
      ? { value: undefined, done: true }
      : { value, done: false };
  }

  [SymbolAsyncIterator]() {
    return this;
  }

  [SymbolDispose]() {
    this.close();
  }
}

/**
 * @param {Deno.Conn} conn from `Deno.listen` or `Deno.listenTls`; it is the
 *   server's from here on
 */
function serveHttp(conn) {
  return new HttpConn(conn);
}

export { serveHttp };
