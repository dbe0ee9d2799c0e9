// A request that a server has received, and its answer.

import { core, primordials } from "ext:duplex_websocket/00_core.js";
import { reportStreamError } from "ext:duplex_http/00_answer.js";
import { isUntouched, takeUpgrade } from "ext:duplex_http/00_handshake.js";
import { checkOrigin, readVerdict } from "ext:duplex_http/00_refusal.js";
import { responseStatus } from "ext:duplex_websocket/00_prototypes.js";

// The ops are not imported from "ext:core/ops", because the functions that a
// snapshot holds have lost V8's fast calls.
const {
  op_http_numbers,
  op_http_release,
  op_http_request_body,
  op_http_request_body_stream,
  op_http_request_header,
  op_http_request_header_text,
  op_http_request_headers,
  op_http_request_method,
  op_http_request_peer,
  op_http_request_timeout,
  op_http_request_url,
  op_http_respond,
  op_http_respond_bytes,
  op_http_respond_stream,
  op_http_respond_text,
  op_http_upgrade_accept,
  op_http_upgrade_begin,
  op_http_upgrade_respond,
  op_http_upgrade_wait,
  op_http_watch,
} = core.ops;

const { BadResourcePrototype, Interrupted } = core;
const {
  ArrayPrototypePush,
  FunctionPrototypeCall,
  MapPrototypeDelete,
  MapPrototypeSet,
  ObjectPrototypeIsPrototypeOf,
  Promise,
  PromisePrototypeThen,
  StringPrototypeSplit,
  StringPrototypeToLowerCase,
  TypedArrayPrototypeGetByteLength,
  TypeError,
} = primordials;

const { InnerBody } = core.loadExtScript("ext:deno_fetch/22_body.js");
const { abortRequest, requestHeadersExposed } = core.loadExtScript(
  "ext:deno_fetch/23_request.js",
);
const {
  getInnerResponse,
  Response,
  serveFastBodyKey,
  serveFastConsumedKey,
  serveFastContentTypeKey,
  serveFastHeaderKindKey,
  serveFastStatusKey,
  SERVE_FAST_HEADER_CONTENT_TYPE,
  SERVE_FAST_HEADER_DEFAULT_TEXT,
  toInnerResponse,
  wireHeaderList,
} = core.loadExtScript("ext:deno_fetch/23_response.js");
const {
  getReadableStreamResourceBacking,
  readableStreamDisturb,
  readableStreamForRid,
  ReadableStreamPrototype,
  resourceForReadableStream,
} = core.loadExtScript("ext:deno_web/06_streams.js");

const {
  outcomeSent: OUTCOME_SENT,
  outcomePending: OUTCOME_PENDING,
  noExchange: NO_EXCHANGE,
  noConnection: NO_CONNECTION,
} = op_http_numbers();

const TEXT = "text/plain;charset=UTF-8";

const CLIENT_LEFT = "The client closed the connection";

/**
 * A request of a client, in the form of an inner request of fetch's class
 * `Request`. The request can be read until it is answered.
 */
class ServerRequest {
  // The members that a `Request` reads from any inner request.
  redirectMode = "follow";
  redirectCount = 0;
  clientRid = null;
  blobUrlEntry = null;

  /** @type {Request | undefined} */
  request = undefined;

  /**
   * The reason why the request is not a legal handshake.
   *
   * @type {Error | undefined}
   */
  refusal = undefined;

  // Whether the handler has been called and has not returned. During this time
  // there is nothing to tell the handler about the client.
  isInTurn = false;

  #id;
  #server;
  #method = undefined;
  #url = undefined;
  #headerList = undefined;
  // The headers as `op_http_request_header_text()` gives them, for a script that
  // has them when the exchange is over.
  #headerText = undefined;
  #body = undefined;
  #bodyRid = undefined;
  #peer = undefined;
  #onCancel = undefined;
  #completed = undefined;
  // The handshake that the handler has agreed to.
  #upgrade = undefined;
  #watched = false;
  // Whether the answer was given.
  #answered = false;
  // Undefined while the exchange lasts, and then whether it succeeded.
  #success = undefined;

  constructor(id, server) {
    this.#id = id;
    this.#server = server;
  }

  get method() {
    return this.#method ??= op_http_request_method(this.#id);
  }

  url() {
    return this.#url ??= op_http_request_url(this.#id);
  }

  currentUrl() {
    return this.url();
  }

  get headerList() {
    if (this.#headerList === undefined) {
      const flat = this.#headerText === undefined
        ? op_http_request_headers(this.#id)
        : StringPrototypeSplit(this.#headerText, "\n");
      const list = [];
      for (let i = 0; i + 1 < flat.length; i += 2) {
        ArrayPrototypePush(list, [flat[i], flat[i + 1]]);
      }
      this.#headerList = list;
    }
    return this.#headerList;
  }

  header(name) {
    if (this.#id !== NO_EXCHANGE || !requestHeadersExposed(this.request)) {
      return op_http_request_header(this.#id, name);
    }
    name = StringPrototypeToLowerCase(name);
    const list = this.headerList;
    let value = null;
    for (let i = 0; i < list.length; i++) {
      if (list[i][0] === name) {
        value = value === null ? list[i][1] : `${value}, ${list[i][1]}`;
      }
    }
    return value;
  }

  // The exchange is about to be over. What a script has of the headers stays
  // readable, as in Deno.
  #keepHeaders() {
    if (
      this.#headerList === undefined && this.#id !== NO_EXCHANGE &&
      requestHeadersExposed(this.request)
    ) {
      this.#headerText = op_http_request_header_text(this.#id);
    }
  }

  get body() {
    if (this.#body === undefined) {
      this.#body = this.#takeBody();
    }
    return this.#body;
  }

  #takeBody() {
    const method = this.method;
    if (method === "GET" || method === "HEAD" || method === "CONNECT") {
      return null;
    }
    const whole = op_http_request_body(this.#id);
    if (whole !== null) {
      const body = new InnerBody({ body: whole, consumed: false });
      if (this.header("content-length") !== null) {
        body.length = TypedArrayPrototypeGetByteLength(whole);
      }
      return body;
    }
    this.#bodyRid = op_http_request_body_stream(this.#id);
    return new InnerBody(
      readableStreamForRid(
        this.#bodyRid,
        true,
        undefined,
        (controller, error) => {
          if (ObjectPrototypeIsPrototypeOf(BadResourcePrototype, error)) {
            error = new error.constructor(
              "Cannot read request body as underlying resource unavailable",
            );
          }
          controller.error(error);
        },
      ),
    );
  }

  get remoteAddr() {
    if (this.#peer === undefined) {
      const { 0: hostname, 1: port } = op_http_request_peer(this.#id);
      const { transport, path } = this.#server.addr;
      this.#peer = transport === "unix"
        ? { transport, path }
        : { transport, hostname, port };
    }
    return this.#peer;
  }

  /**
   * The object that tells the address of sockets whose connections do not know
   * it.
   */
  get serverPeer() {
    return this.#server.peer;
  }

  /**
   * Sets for how many seconds the body may bring no bytes. 0 means without a
   * limit.
   */
  setTimeout(seconds) {
    if (this.#id !== NO_EXCHANGE) {
      op_http_request_timeout(this.#id, seconds);
    }
  }

  /** Whether the request has been answered. */
  get isAnswered() {
    return this.#answered;
  }

  /**
   * Whether the client got another answer, because the handler took too long.
   */
  get isGivenUp() {
    return this.#upgrade !== undefined && this.#upgrade.isGivenUp;
  }

  get server() {
    return this.#server;
  }

  get completed() {
    if (this.#completed === undefined) {
      let resolve, reject;
      const promise = new Promise((a, b) => {
        resolve = a;
        reject = b;
      });
      this.#completed = { promise, resolve, reject };
      if (this.#success === undefined) {
        this.#watch();
      } else {
        this.#settleCompleted();
      }
    }
    return this.#completed.promise;
  }

  // The `Request` calls this when its signal is first read.
  onCancel(callback) {
    if (this.#success === undefined) {
      this.#onCancel = callback;
      this.#watch();
    } else if (!this.#success) {
      callback();
    }
  }

  // Answers with a response that a handler gave. If this throws, no answer was
  // given.
  respond(response) {
    this.#keepHeaders();
    if (FunctionPrototypeCall(responseStatus, response) === 101) {
      const inner = getInnerResponse(response);
      this.respondUpgrade(
        isUntouched(inner) ? inner : toInnerResponse(response),
      );
      return;
    }
    this.failUpgrade("Upgrade response was not returned from callback");

    const status = response[serveFastStatusKey];
    const body = response[serveFastBodyKey];
    if (status !== 0 && body !== null) {
      let type = "";
      switch (response[serveFastHeaderKindKey]) {
        case SERVE_FAST_HEADER_DEFAULT_TEXT:
          type = TEXT;
          break;
        case SERVE_FAST_HEADER_CONTENT_TYPE:
          type = response[serveFastContentTypeKey];
          break;
      }
      const outcome = typeof body === "string"
        ? op_http_respond_text(this.#id, status, type, body)
        : op_http_respond_bytes(this.#id, status, type, body);
      response[serveFastConsumedKey] = true;
      this.#wasAnswered(outcome);
      return;
    }
    this.#respondInner(toInnerResponse(response));
  }

  #respondInner(inner) {
    const headers = wireHeaderList(inner);
    const body = inner.body;
    if (body === null || body === undefined) {
      this.#wasAnswered(
        op_http_respond(this.#id, inner.status, headers, null, null),
      );
      return;
    }
    const stream = body.streamOrStatic;
    if (!ObjectPrototypeIsPrototypeOf(ReadableStreamPrototype, stream)) {
      const content = stream.body;
      const isText = typeof content === "string";
      const outcome = op_http_respond(
        this.#id,
        inner.status,
        headers,
        isText ? content : null,
        isText ? null : content,
      );
      stream.consumed = true;
      this.#wasAnswered(outcome);
      return;
    }
    this.#wasAnswered(
      this.#respondStream(inner.status, headers, stream, body.length),
    );
  }

  #respondStream(status, headers, stream, length) {
    if (stream.locked) {
      throw new TypeError(
        "The body of the Response returned from the serve handler is locked",
      );
    }
    const backing = getReadableStreamResourceBacking(stream);
    let rid, owned;
    if (backing) {
      rid = backing.rid;
      owned = backing.autoClose;
      readableStreamDisturb(stream);
    } else {
      const onError = this.#server.onError;
      rid = resourceForReadableStream(
        stream,
        undefined,
        (error) => reportStreamError(onError, error),
      );
      owned = true;
    }
    try {
      return op_http_respond_stream(
        this.#id,
        status,
        headers,
        rid,
        owned,
        typeof length === "number" ? length : -1,
      );
    } catch (error) {
      if (owned) {
        core.tryClose(rid);
      }
      throw error;
    }
  }

  /**
   * Claims the connection for a WebSocket. `upgrade` is told the result by
   * `opened(id)` or `failed(message)`, after the handler has returned the
   * response with status 101 or something else.
   *
   * @param {Upgrade} upgrade of 00_handshake.js
   */
  beginUpgrade(upgrade) {
    const { allowedOrigins, deflate } = upgrade.options;
    if (allowedOrigins !== null) {
      checkOrigin(allowedOrigins, this.header("origin"), this.url());
    }
    upgrade.agree(readVerdict(
      op_http_upgrade_begin(this.#id, upgrade.protocol, deflate),
    ));
    // The URL is read now, because the handlers of a socket may read it when
    // the exchange is over.
    this.url();
    this.#method = "GET";
    this.#upgrade = upgrade;
    upgrade.claim(this);
    if (!this.isInTurn) {
      this.#awaitHandshake();
    }
  }

  // The handshake that waits for its answer, or undefined.
  #pendingUpgrade() {
    const upgrade = this.#upgrade;
    return upgrade !== undefined && upgrade.isPending ? upgrade : undefined;
  }

  // Notes that the handshake does not wait for its answer any more.
  #settleUpgrade(upgrade) {
    upgrade.settle();
    if (!upgrade.isGivenUp) {
      // The script may hold the request for a long time. The request must not
      // hold the socket.
      this.#upgrade = undefined;
    }
  }

  // The handler will answer the handshake, but not at once.
  #awaitHandshake() {
    this.#watch();
    if (this.#success === false) {
      this.failUpgrade(CLIENT_LEFT);
      return;
    }
    this.#upgrade.startTimer((message) => {
      this.failUpgrade(message);
      this.#respondInner(
        toInnerResponse(new Response(message, { status: 503 })),
      );
    });
  }

  // The handler's turn is over, and it has not answered.
  endTurn() {
    this.isInTurn = false;
    if (this.#pendingUpgrade() !== undefined) {
      this.#awaitHandshake();
    }
  }

  // Answers with the inner response of a handshake. Returns false if no
  // connection is left. The socket was told then.
  respondUpgrade(inner) {
    if (this.#success === false) {
      takeUpgrade(inner, this)?.failed(CLIENT_LEFT);
      return this.#abandonUpgrade();
    }
    const upgrade = this.#pendingUpgrade() ?? this.#adoptUpgrade(inner);
    if (upgrade === undefined) {
      return this.#abandonUpgrade();
    }
    const { idleTimeout, sendPings, limits } = upgrade.options;
    const id = op_http_upgrade_accept(
      this.#id,
      isUntouched(inner) ? null : wireHeaderList(inner),
      idleTimeout,
      sendPings,
      limits,
    );
    if (id !== NO_CONNECTION) {
      this.#settleUpgrade(upgrade);
      upgrade.id = id;
      upgrade.exchange = this.#id;
      ArrayPrototypePush(this.#server.opening, upgrade);
      this.#wasAnswered(OUTCOME_SENT);
      return true;
    }
    this.#watch();
    if (this.#success === false) {
      return this.#abandonUpgrade();
    }
    const headers = wireHeaderList(inner);
    const connection = op_http_upgrade_wait(
      this.#id,
      idleTimeout,
      sendPings,
      limits,
    );
    PromisePrototypeThen(
      connection,
      (id) => upgrade.opened(id),
      (error) => upgrade.failed(error.message),
    );
    const outcome = op_http_upgrade_respond(this.#id, headers);
    // From now on the promise of the connection tells the result.
    this.#settleUpgrade(upgrade);
    this.#wasAnswered(outcome);
    return true;
  }

  // The client has left before its handshake was answered.
  #abandonUpgrade() {
    this.failUpgrade(CLIENT_LEFT);
    this.abandon();
    return false;
  }

  // The handshake that a handler has agreed to by a copy of the request, such
  // as `request.clone()`. Undefined if the client is gone.
  #adoptUpgrade(inner) {
    const upgrade = takeUpgrade(inner, this);
    if (upgrade === undefined) {
      throw new TypeError(
        "A response with status 101 must come from Deno.upgradeWebSocket(), and be returned once",
      );
    }
    try {
      this.beginUpgrade(upgrade);
    } catch (error) {
      upgrade.failed(error.message);
      throw error;
    }
    return this.#pendingUpgrade();
  }

  failUpgrade(message) {
    const upgrade = this.#pendingUpgrade();
    if (upgrade !== undefined) {
      this.#settleUpgrade(upgrade);
      upgrade.failed(message);
    }
  }

  // Notes the outcome of an answer that was given.
  #wasAnswered(outcome) {
    this.#answered = true;
    if (outcome === OUTCOME_PENDING) {
      if (!this.#watched) {
        this.#watched = true;
        MapPrototypeSet(this.#server.watched, this.#id, this);
      }
      return;
    }
    const id = this.#id;
    this.#id = NO_EXCHANGE;
    this.#closeBody();
    this.#end(id, outcome === OUTCOME_SENT);
  }

  // The exchange is over: the client has the answer, or is gone. If the client
  // is gone before the answer, the handler may still be running, and can still
  // read the request.
  ended(success) {
    const id = this.#id;
    if (this.#answered && id !== NO_EXCHANGE) {
      this.#id = NO_EXCHANGE;
      op_http_release(id);
      this.#closeBody();
    }
    this.#end(id, success);
  }

  // Forgets the request without an answer of the handler.
  abandon() {
    if (this.#id !== NO_EXCHANGE) {
      this.#keepHeaders();
      this.#answered = true;
      this.ended(false);
    }
  }

  #watch() {
    if (this.#watched) {
      return;
    }
    this.#watched = true;
    if (op_http_watch(this.#id)) {
      MapPrototypeSet(this.#server.watched, this.#id, this);
    } else {
      this.#end(this.#id, false);
    }
  }

  #end(id, success) {
    if (this.#success !== undefined) {
      return;
    }
    this.#success = success;
    if (this.#watched) {
      MapPrototypeDelete(this.#server.watched, id);
    }
    const cancel = this.#onCancel;
    this.#onCancel = undefined;
    if (!success) {
      if (cancel !== undefined) {
        cancel();
      } else if (this.request !== undefined) {
        // If the handler reads the signal later, the signal is aborted.
        abortRequest(this.request);
      }
      this.failUpgrade(CLIENT_LEFT);
    }
    if (this.#completed !== undefined) {
      this.#settleCompleted();
    }
  }

  #settleCompleted() {
    if (this.#success) {
      this.#completed.resolve(undefined);
    } else {
      this.#completed.reject(
        new Interrupted("HTTP response was not sent successfully"),
      );
    }
  }

  // After the answer, the rest of a body cannot be read, because the connection
  // is used for the next request or is closed.
  #closeBody() {
    if (this.#bodyRid !== undefined) {
      core.tryClose(this.#bodyRid);
      this.#bodyRid = undefined;
    }
  }
}

const ServerRequestPrototype = ServerRequest.prototype;

/**
 * @param {unknown} inner
 * @returns {boolean}
 */
function isServerRequest(inner) {
  return ObjectPrototypeIsPrototypeOf(ServerRequestPrototype, inner);
}

export { isServerRequest, ServerRequest };
