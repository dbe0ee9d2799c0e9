// `Deno.serveHttp`: serves a connection that the script accepted itself, as an
// iteration over requests. Deno had this function until 2.0.

import { core, primordials } from "ext:duplex_websocket/00_core.js";
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

/** A request, and a method to answer it. */
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
   * @returns {Promise<void>} resolves when the answer is sent. It rejects with
   *   what the handler threw, and the client gets status 500 then. It also
   *   rejects if the client has gone, but that rejection counts as handled, so
   *   that no client can end the program
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

  // Resolves when there is an answer, with a promise that resolves when the
  // answer is sent.
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
  // Requests that the script has not asked for yet, or the script's promises
  // that wait for a request.
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

  /**
   * Resolves with the next request, or with null if the connection has ended.
   */
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

  /** Ends the connection at once. A WebSocket that it became goes on. */
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
 * @param {Deno.Conn} conn from `Deno.listen` or `Deno.listenTls`; from then on
 *   the connection belongs to the server
 */
function serveHttp(conn) {
  return new HttpConn(conn);
}

export { serveHttp };
