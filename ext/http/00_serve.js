// `Deno.serve`: a server hands each request to a handler and takes a response
// from it. Both are the classes of fetch; what a request holds is fetched from
// the connection when the handler asks for it.

import { core, internals, primordials } from "ext:core/mod.js";
import {
  checkMembers,
  membersOf,
} from "ext:duplex_websocket/00_known_members.js";
import { responseStatus } from "ext:duplex_websocket/00_prototypes.js";
import {
  broker,
  convertTopics,
  flush,
  publish,
  publishRecorded,
  shareTopics,
  subscriberCount,
} from "ext:duplex_http/00_topics.js";

// Not from "ext:core/ops": what a snapshot holds has lost V8's fast calls.
const {
  op_http_abort,
  op_http_release,
  op_http_request_body,
  op_http_request_body_stream,
  op_http_request_header,
  op_http_request_headers,
  op_http_request_method,
  op_http_request_peer,
  op_http_request_timeout,
  op_http_request_url,
  op_http_respond,
  op_http_respond_bytes,
  op_http_respond_stream,
  op_http_respond_text,
  op_http_serve_address_override,
  op_http_serve_connection,
  op_http_serve_tcp,
  op_http_serve_unix,
  op_http_shutdown,
  op_http_upgrade_accept,
  op_http_upgrade_begin,
  op_http_upgrade_respond,
  op_http_upgrade_wait,
  op_http_wait,
  op_http_watch,
} = core.ops;

const { BadResourcePrototype, Interrupted } = core;
const {
  ArrayPrototypePush,
  ArrayPrototypeShift,
  ArrayPrototypeUnshift,
  FunctionPrototypeApply,
  FunctionPrototypeCall,
  MapPrototypeDelete,
  MapPrototypeGet,
  MapPrototypeSet,
  MathMin,
  NumberIsInteger,
  ObjectHasOwn,
  ObjectPrototypeIsPrototypeOf,
  PromisePrototype,
  PromisePrototypeThen,
  PromiseResolve,
  Promise,
  SafeMap,
  SafeWeakMap,
  StringPrototypeIncludes,
  StringPrototypeSlice,
  SymbolAsyncDispose,
  TypedArrayPrototypeGetByteLength,
  TypeError,
  WeakMapPrototypeGet,
  WeakMapPrototypeSet,
} = primordials;

const { InnerBody } = core.loadExtScript("ext:deno_fetch/22_body.js");
const { abortRequest, fromInnerRequest } = core.loadExtScript(
  "ext:deno_fetch/23_request.js",
);
const {
  getInnerResponse,
  Response,
  responseBodyUsed,
  ResponsePrototype,
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
const { validatePort } = core.loadExtScript("ext:deno_net/01_net.js");

// The events of a server, as `Event` in server.rs numbers them. 2 is an exchange
// that ended without success.
const EVENT_REQUEST = 0;
const EVENT_ENDED = 1;
const EVENT_OPENED = 3;

// What became of an answer, as `Outcome` in exchange.rs numbers it.
const OUTCOME_SENT = 0;
const OUTCOME_PENDING = 1;

// The id of no exchange, and that of no connection.
const CLOSED = 0;
const NO_CONNECTION = -1;

// What a timer can be set to, in milliseconds.
const MAX_TIMER = 2 ** 31 - 1;

const TEXT = "text/plain;charset=UTF-8";

const CLIENT_LEFT = "The client closed the connection";

/**
 * What to answer to a request that is no WebSocket handshake, by the error
 * that tells it to the handler.
 *
 * @type {WeakMap<Error, { status: number, headers: [string, string][] }>}
 */
const refusals = new SafeWeakMap();

function log(level, ...args) {
  const { log } = internals;
  if (log !== undefined) {
    ArrayPrototypeUnshift(args, level);
    FunctionPrototypeApply(log, internals, args);
    return;
  }
  // The program's: it may have put its own there, or none.
  const { console } = globalThis;
  const error = console?.error;
  if (typeof error === "function") {
    FunctionPrototypeApply(error, console, args);
  }
}

/**
 * A request of a client, as the `Request` class of fetch sees it inside. It
 * can be read until it is answered.
 */
class ServerRequest {
  // What a `Request` reads of any inner request.
  redirectMode = "follow";
  redirectCount = 0;
  clientRid = null;
  blobUrlEntry = null;

  /** @type {Request | undefined} */
  request = undefined;

  /**
   * What was wrong with the handshake that it should have been.
   *
   * @type {Error | undefined}
   */
  refusal = undefined;

  // The handler has been called and has not returned: there is nothing yet that it
  // could be told of its client.
  isInTurn = false;

  // The client was told that the handler takes too long: its answer is of no use.
  isGivenUp = false;

  #id;
  #server;
  #method = undefined;
  #url = undefined;
  #headerList = undefined;
  #body = undefined;
  #bodyRid = undefined;
  #peer = undefined;
  #onCancel = undefined;
  #completed = undefined;
  #upgrade = undefined;
  #handshakeTimer = undefined;
  #watched = false;
  // The answer was given.
  #answered = false;
  // Undefined while the exchange lasts, then whether it went well.
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
      const flat = op_http_request_headers(this.#id);
      const list = [];
      for (let i = 0; i < flat.length; i += 2) {
        ArrayPrototypePush(list, [flat[i], flat[i + 1]]);
      }
      this.#headerList = list;
    }
    return this.#headerList;
  }

  header(name) {
    return op_http_request_header(this.#id, name);
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

  /** What knows the address of sockets whose connections have none. */
  get serverPeer() {
    return this.#server.peer;
  }

  /** For how many seconds its body may bring nothing; 0 is for ever. */
  setTimeout(seconds) {
    if (this.#id !== CLOSED) {
      op_http_request_timeout(this.#id, seconds);
    }
  }

  /** Whether the handler need not answer any more. */
  get isAnswered() {
    return this.#answered;
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

  // Called by the `Request` when its signal is asked for.
  onCancel(callback) {
    if (this.#success === undefined) {
      this.#onCancel = callback;
      this.#watch();
    } else if (!this.#success) {
      callback();
    }
  }

  // Answers with a response that a handler gave. When it throws, there was no
  // answer.
  respond(response) {
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
   * Claims the connection for a WebSocket. What comes of it is told to `upgrade`, by
   * `opened(id)` or `failed(message)`, after the handler has returned the response
   * with status 101 or something else.
   *
   * @param {Upgrade} upgrade of 01_upgrade.js
   * @returns {{ accept: string, extensions: string }} the values of
   *   Sec-WebSocket-Accept and Sec-WebSocket-Extensions
   */
  beginUpgrade(upgrade) {
    const { allowedOrigins, deflate } = upgrade.options;
    if (allowedOrigins !== null) {
      checkOrigin(allowedOrigins, this.header("origin"), this.url());
    }
    const verdict = readVerdict(
      op_http_upgrade_begin(this.#id, upgrade.protocol, deflate),
    );
    upgrade.extensions = verdict.extensions;
    // The handlers of a socket look at the request when the exchange is over.
    this.url();
    this.#method = "GET";
    this.#upgrade = upgrade;
    if (!this.isInTurn) {
      this.#awaitHandshake();
    }
    return verdict;
  }

  // The handler will answer the handshake, but not at once.
  #awaitHandshake() {
    this.#watch();
    if (this.#success === false) {
      this.failUpgrade(CLIENT_LEFT);
      return;
    }
    const { handshakeTimeout } = this.#upgrade.options;
    if (handshakeTimeout === 0) {
      return;
    }
    this.#handshakeTimer = core.createSystemTimer(
      () => {
        const message =
          `The handshake was not answered within handshakeTimeout (${handshakeTimeout} s)`;
        this.isGivenUp = true;
        this.failUpgrade(message);
        this.#respondInner(
          toInnerResponse(new Response(message, { status: 503 })),
        );
      },
      MathMin(handshakeTimeout * 1000, MAX_TIMER),
      false,
    );
  }

  #endHandshake() {
    this.#upgrade = undefined;
    if (this.#handshakeTimer !== undefined) {
      core.cancelTimer(this.#handshakeTimer);
      this.#handshakeTimer = undefined;
    }
  }

  // The handler's turn is over, and it has not answered.
  endTurn() {
    this.isInTurn = false;
    if (this.#upgrade !== undefined) {
      this.#awaitHandshake();
    }
  }

  // Answers with the inner response of a handshake. Returns false where there is no
  // connection left, which the socket was told.
  respondUpgrade(inner) {
    if (this.#success === false) {
      takeUpgrade(inner)?.failed(CLIENT_LEFT);
      return this.#abandonUpgrade();
    }
    const upgrade = this.#upgrade ?? this.#adoptUpgrade(inner);
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
      this.#endHandshake();
      upgrade.id = id;
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
    // From here on the connection tells.
    this.#endHandshake();
    this.#wasAnswered(outcome);
    return true;
  }

  // The client has left before its handshake was answered.
  #abandonUpgrade() {
    this.failUpgrade(CLIENT_LEFT);
    this.abandon();
    return false;
  }

  // The handshake that a handler has agreed to by a copy of the request, such as
  // `request.clone()`. Undefined where the client is gone.
  #adoptUpgrade(inner) {
    const upgrade = takeUpgrade(inner);
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
    upgrade.adopted(this);
    return this.#upgrade;
  }

  failUpgrade(message) {
    const upgrade = this.#upgrade;
    if (upgrade !== undefined) {
      this.#endHandshake();
      upgrade.failed(message);
    }
  }

  // The answer was given, and this is what became of it.
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
    this.#id = CLOSED;
    this.#closeBody();
    this.#end(id, outcome === OUTCOME_SENT);
  }

  // The exchange is over: the client has the answer, or is gone. In the second
  // case the handler may still be at work, and can read the request.
  ended(success) {
    const id = this.#id;
    if (this.#answered && id !== CLOSED) {
      this.#id = CLOSED;
      op_http_release(id);
      this.#closeBody();
    }
    this.#end(id, success);
  }

  // Forgets the request without an answer of the handler.
  abandon() {
    if (this.#id !== CLOSED) {
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
        // Whoever asks for the signal later finds it aborted.
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

  // What is left of a body when the answer was sent is nobody's: the connection is
  // for the next request, or to be closed.
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

/**
 * Reads what an op found of a WebSocket handshake.
 *
 * @returns {{ accept: string, extensions: string }} the values of
 *   Sec-WebSocket-Accept and Sec-WebSocket-Extensions
 */
function readVerdict(verdict) {
  if (typeof verdict === "string") {
    return { accept: verdict, extensions: "" };
  }
  const { 0: accept, 1: extensions, 2: status, 3: message, 4: flat } = verdict;
  if (accept !== null && accept !== undefined) {
    return { accept, extensions };
  }
  const error = new TypeError(message);
  const headers = [];
  for (let i = 0; i < flat.length; i += 2) {
    ArrayPrototypePush(headers, [flat[i], flat[i + 1]]);
  }
  WeakMapPrototypeSet(refusals, error, { status, headers });
  throw error;
}

/**
 * Throws where a page may not open a WebSocket.
 *
 * @param {AllowedOrigins} allowed of 00_allowed_origins.js
 */
function checkOrigin(allowed, origin, url) {
  if (!allowed.allow(origin, url)) {
    const error = new TypeError(`Origin '${origin}' is not in allowedOrigins`);
    WeakMapPrototypeSet(refusals, error, { status: 403, headers: [] });
    throw error;
  }
}

/**
 * A response with status 101, as the `Response` class sees it inside. Its headers
 * are made when somebody looks at them.
 */
class UpgradeResponse {
  type = "default";
  body = null;
  urlList = [];
  status = 101;
  statusMessage = "";
  aborted = false;
  bodyDecoded = false;

  #makeHeaders;
  #headerList = undefined;
  // The handshake that this answers, where no request of a server is bound to it.
  #upgrade;

  constructor(makeHeaders, upgrade = undefined) {
    this.#makeHeaders = makeHeaders;
    this.#upgrade = upgrade;
  }

  get headerList() {
    if (this.#headerList === undefined) {
      const makeHeaders = this.#makeHeaders;
      this.#headerList = makeHeaders();
    }
    return this.#headerList;
  }

  url() {
    return null;
  }

  // Whether nobody has looked at the headers, so that they are as they were made.
  static isUntouched(inner) {
    // deno-lint-ignore prefer-primordials -- it asks for a private name
    return #headerList in inner && inner.#headerList === undefined;
  }

  static takeUpgrade(inner) {
    // deno-lint-ignore prefer-primordials -- it asks for a private name
    if (!(#upgrade in inner)) {
      return undefined;
    }
    const upgrade = inner.#upgrade;
    inner.#upgrade = undefined;
    return upgrade;
  }
}

const { isUntouched, takeUpgrade } = UpgradeResponse;

class ServeHandlerInfo {
  #inner;

  constructor(inner) {
    this.#inner = inner;
  }

  static serverOf(info) {
    return info.#inner.server;
  }

  get remoteAddr() {
    return this.#inner.remoteAddr;
  }

  get completed() {
    return this.#inner.completed;
  }

  /** As that of the server. */
  upgrade(request, options = undefined) {
    const { server } = this.#inner;
    return server.upgrade(request, options);
  }

  /** As that of the server. */
  publish(topic, data, options = undefined) {
    return publish(this.#inner.server, arguments.length, topic, data, options);
  }

  /** As that of the server. */
  publishRecorded(topic, data) {
    return publishRecorded(this.#inner.server, arguments.length, topic, data);
  }

  /** As that of the server. */
  subscriberCount(topic) {
    return subscriberCount(this.#inner.server, arguments.length, topic);
  }

  /** As that of the server. */
  flush() {
    return flush(this.#inner.server);
  }

  /** As that of the server. */
  get broker() {
    return broker(this.#inner.server);
  }
}

const { serverOf } = ServeHandlerInfo;

function handle(server, id) {
  const inner = new ServerRequest(id, server);
  let result;
  try {
    const request = fromInnerRequest(inner, "immutable");
    inner.request = request;
    inner.isInTurn = true;
    const { handler, Info } = server;
    result = handler(request, new Info(inner));
  } catch (error) {
    inner.endTurn();
    recover(server, inner, error);
    return;
  }
  if (ObjectPrototypeIsPrototypeOf(ResponsePrototype, result)) {
    answer(server, inner, result);
    return;
  }
  inner.endTurn();
  PromisePrototypeThen(
    PromiseResolve(result),
    (response) => answer(server, inner, response),
    (error) => recover(server, inner, error),
  );
}

function answer(server, inner, response) {
  if (inner.isGivenUp) {
    return;
  }
  try {
    if (response === undefined) {
      if (inner.isAnswered) {
        // By upgrade().
        return;
      }
      response = refusalResponse(inner.refusal);
    }
    checkResponse(response, "serve");
    if (inner.isAnswered) {
      throw new TypeError(
        "A handler that has upgraded the request must return nothing, and no Response",
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

// The head of the response is sent, so that the error can only be reported.
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

// The answer to a client whose WebSocket handshake failed with `error`.
function refusalResponse(error) {
  const refusal = typeof error === "object" && error !== null
    ? WeakMapPrototypeGet(refusals, error)
    : undefined;
  return refusal === undefined
    ? undefined
    : new Response(error.message, refusal);
}

function internalServerError() {
  return new Response(core.encode("Internal Server Error"), { status: 500 });
}

/** Whether `error` says what is wrong with a WebSocket handshake. */
function isRefusal(error) {
  return typeof error === "object" && error !== null &&
    WeakMapPrototypeGet(refusals, error) !== undefined;
}

/**
 * @param {Function | object} arg1 the handler, or options
 * @param {Function=} arg2 the handler after options
 * @param {(server: object, options: object) => Function} upgrader makes the server's
 *   `upgrade()`
 * @param {boolean} isOwn whether this is the server that an embedder starts, which may
 *   listen on its `OwnAddress`
 */
function serve(arg1, arg2, upgrader, isOwn) {
  let options;
  let handler;
  if (typeof arg1 === "function") {
    handler = arg1;
  } else if (typeof arg2 === "function") {
    handler = arg2;
    options = arg1;
  } else {
    options = arg1;
  }
  if (handler === undefined) {
    if (options === undefined) {
      throw new TypeError(
        "Cannot serve HTTP requests: either a `handler` or `options` must be specified",
      );
    }
    handler = options.handler;
  }
  if (typeof handler !== "function") {
    throw new TypeError(
      `Cannot serve HTTP requests: handler must be a function, received ${typeof handler}`,
    );
  }
  return startServer(
    options ?? { __proto__: null },
    handler,
    upgrader,
    isOwn,
  );
}

/** The options of `Deno.serve` in Deno's form. */
const SERVE_MEMBERS = membersOf(
  [
    "alpnProtocols",
    "automaticCompression",
    "cert",
    "certFile",
    "handler",
    "hostname",
    "key",
    "keyFile",
    "maxHeaderSize",
    "onError",
    "onListen",
    "parallel",
    "path",
    "port",
    "reusePort",
    "signal",
    "tcpBacklog",
    "topics",
    "transport",
    "websocket",
  ],
  {
    __proto__: null,
    cid: "servers listen on TCP and unix sockets",
    error: "use `onError`",
    tls: "use `cert` and `key`, in PEM",
    unix: "use `path`",
  },
);

function startServer(options, handler, upgrader, isOwn) {
  checkMembers(options, SERVE_MEMBERS, "Cannot serve HTTP requests");
  if (options.automaticCompression) {
    throw new TypeError(
      "Cannot serve HTTP requests: the option `automaticCompression` is not supported: compress bodies with a CompressionStream, or in a proxy",
    );
  }
  const { signal, onListen, onError = defaultOnError, parallel } = options;
  if (typeof onError !== "function") {
    throw new TypeError("Invalid type for onError: must be a function");
  }
  if (onListen !== undefined && typeof onListen !== "function") {
    throw new TypeError("Invalid type for onListen: must be a function");
  }
  if (
    signal !== undefined && signal !== null &&
    typeof signal.addEventListener !== "function"
  ) {
    throw new TypeError("Invalid type for signal: must be an AbortSignal");
  }
  if (
    parallel !== undefined && parallel !== null && typeof parallel !== "boolean"
  ) {
    throw new TypeError(
      "Invalid type for parallel: must be a boolean. How many event loops there are says duplex serve --parallel=N",
    );
  }
  const topics = convertTopics(options);
  const isShared = isOwn || parallel === true;

  const server = {
    __proto__: null,
    handler,
    onError,
    upgrade: undefined,
    rid: undefined,
    addr: undefined,
    isSecure: false,
    peer: null,
    // Pending until the server has ended.
    ended: undefined,
    finished: undefined,
    // What the handler gets beside the request.
    Info: ServeHandlerInfo,
    // Of the handler form: what it was started with, and what the script has of it.
    form: undefined,
    object: undefined,
    // Exchanges whose end somebody waits for.
    watched: new SafeMap(),
    // Sockets whose clients have been answered, in the order of their events.
    opening: [],
  };
  server.upgrade = upgrader(server, options);
  const dispatch = dispatcher(server, (id) => handle(server, id));

  const { rid, addr, loops, greeting } = listen(
    options,
    dispatch,
    isOwn,
    isShared,
  );
  server.rid = rid;
  server.addr = addr;
  server.isSecure = options.cert !== undefined && addr.transport === "tcp";
  try {
    shareTopics(rid, topics);
  } catch (error) {
    core.close(rid);
    throw error;
  }
  if (addr.transport === "unix") {
    server.peer = { remoteAddr: addr };
  }

  const stop = () => op_http_abort(rid);
  if (signal?.aborted) {
    stop();
  } else {
    signal?.addEventListener("abort", stop, { __proto__: null, once: true });
  }

  const ended = op_http_wait(rid);
  const finished = PromisePrototypeThen(ended, () => {
    signal?.removeEventListener("abort", stop);
  });
  server.ended = ended;
  server.finished = finished;

  if (loops === 0) {
    // Another event loop accepts, and has told.
  } else if (onListen !== undefined) {
    onListen(addr);
  } else {
    log("info", loops === 1 ? greeting : `${greeting} with ${loops} threads`);
  }

  return {
    addr,
    finished,
    upgrade: (request, options = undefined) => server.upgrade(request, options),
    publish(topic, data, options = undefined) {
      return publish(server, arguments.length, topic, data, options);
    },
    publishRecorded(topic, data) {
      return publishRecorded(server, arguments.length, topic, data);
    },
    subscriberCount(topic) {
      return subscriberCount(server, arguments.length, topic);
    },
    flush: () => flush(server),
    get broker() {
      return broker(server);
    },
    async shutdown() {
      op_http_shutdown(rid);
      await finished;
    },
    ref() {
      core.refOpPromise(ended);
    },
    unref() {
      core.unrefOpPromise(ended);
    },
    [SymbolAsyncDispose]() {
      return this.shutdown();
    },
  };
}

// What the server calls: with each request, with the end of an exchange, and when a
// socket opens.
function dispatcher(server, onRequest) {
  return (event, id) => {
    if (event === EVENT_REQUEST) {
      onRequest(id);
      return;
    }
    if (event === EVENT_OPENED) {
      const upgrade = ArrayPrototypeShift(server.opening);
      upgrade.opened(upgrade.id);
      return;
    }
    const inner = MapPrototypeGet(server.watched, id);
    if (inner !== undefined) {
      inner.ended(event === EVENT_ENDED);
    } else {
      op_http_release(id);
    }
  };
}

/**
 * Serves one connection that the script has accepted.
 *
 * @param {Deno.Conn} conn is lost to the script
 * @param {(request: ServerRequest) => void} onRequest
 * @returns {{ rid: number, ended: Promise<void> }} `ended` when the connection is
 *   closed or has become a WebSocket's
 */
function serveConnection(conn, onRequest) {
  const server = {
    __proto__: null,
    onError: (error) => log("error", error),
    addr: conn.localAddr,
    peer: conn.localAddr.transport === "unix"
      ? { __proto__: null, remoteAddr: conn.localAddr }
      : null,
    watched: new SafeMap(),
    opening: [],
  };
  const rid = op_http_serve_connection(
    dispatcher(server, (id) => onRequest(new ServerRequest(id, server))),
    conn[core.internalRidSymbol],
  );
  return { rid, ended: op_http_wait(rid) };
}

let hasOverride = true;

// The first server of a program listens where `DENO_SERVE_ADDRESS` says, if it is set.
function listen(options, dispatch, isOwn, isShared) {
  let place = options;
  if (hasOverride) {
    const { 0: kind, 1: host, 2: port, 3: isDuplicate } =
      op_http_serve_address_override();
    if (isDuplicate || kind > 2) {
      throw new TypeError(
        "DENO_SERVE_ADDRESS: Deno.serve() takes tcp:ADDRESS:PORT and unix:PATH, and no other address beside it",
      );
    }
    hasOverride = false;
    if (kind === 1) {
      place = { __proto__: null, hostname: host, port };
    } else if (kind === 2) {
      place = { __proto__: null, path: host };
    }
  }
  return ObjectHasOwn(place, "path")
    ? listenUnix(options, place.path, dispatch, isOwn, isShared)
    : listenTcp(options, place, dispatch, isOwn, isShared);
}

function listenTcp(options, place, dispatch, isOwn, isShared) {
  if (options.certFile || options.keyFile) {
    throw new TypeError(
      "Unsupported 'certFile' / 'keyFile' options provided: use 'cert' / 'key' instead.",
    );
  }
  if (options.alpnProtocols) {
    throw new TypeError(
      "Unsupported 'alpnProtocols' option provided. 'h2' and 'http/1.1' are automatically supported.",
    );
  }
  const { cert, key } = options;
  const secure = cert !== undefined || key !== undefined;
  if (secure && (!cert || !key)) {
    throw new TypeError(
      "Both 'cert' and 'key' must be provided to enable HTTPS",
    );
  }
  const { 0: rid, 1: hostname, 2: port, 3: loops } = op_http_serve_tcp(
    dispatch,
    place.hostname ?? "0.0.0.0",
    validatePort(place.port ?? 8000, true),
    options.reusePort ?? false,
    options.tcpBacklog ?? 511,
    secure ? cert : null,
    secure ? key : null,
    maxHeaderSize(options),
    isOwn,
    isShared,
  );
  const addr = { hostname, port, transport: "tcp" };
  const scheme = secure ? "https" : "http";
  const host = StringPrototypeIncludes(hostname, ":")
    ? `[${hostname}]`
    : hostname;
  let greeting = `Listening on ${scheme}://${host}:${port}/`;
  if (hostname === "0.0.0.0" || hostname === "::") {
    greeting += ` (${scheme}://localhost:${port}/)`;
  }
  return { rid, addr, loops, greeting };
}

function listenUnix(options, wanted, dispatch, isOwn, isShared) {
  const { 0: rid, 1: path, 2: loops } = op_http_serve_unix(
    dispatch,
    wanted,
    maxHeaderSize(options),
    isOwn,
    isShared,
  );
  return {
    rid,
    loops,
    addr: { transport: "unix", path },
    // As other programs write one that has no file.
    greeting: `Listening on ${
      path[0] === "\0" ? `@${StringPrototypeSlice(path, 1)}` : path
    }`,
  };
}

/** The option `maxHeaderSize`, in bytes; 0 is the default, 64 KiB. */
function maxHeaderSize({ maxHeaderSize: size }) {
  if (size === undefined || size === null) {
    return 0;
  }
  if (
    !NumberIsInteger(size) || size < MIN_HEADER_SIZE || size > MAX_HEADER_SIZE
  ) {
    throw new TypeError(
      `maxHeaderSize must be an integer from ${MIN_HEADER_SIZE} to ${MAX_HEADER_SIZE}`,
    );
  }
  return size;
}

// What hyper's buffer can be.
const MIN_HEADER_SIZE = 8192;
const MAX_HEADER_SIZE = 2 ** 31 - 1;

export {
  checkOrigin,
  checkResponse,
  defaultOnError,
  internalServerError,
  isRefusal,
  isServerRequest,
  readVerdict,
  refusalResponse,
  serve,
  SERVE_MEMBERS,
  serveConnection,
  ServeHandlerInfo,
  serverOf,
  UpgradeResponse,
};
