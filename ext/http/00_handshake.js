// A WebSocket handshake that a handler agrees to, and the response that says so.

import { core, primordials } from "ext:core/mod.js";

const { ArrayPrototypePush, MathMin, PromisePrototypeThen, PromiseResolve } =
  primordials;

// What a timer can be set to, in milliseconds.
const MAX_TIMER = 2 ** 31 - 1;

/**
 * All that is known of one handshake, from the call of `upgradeWebSocket()` on until the socket
 * is open or there will be none.
 */
class Upgrade {
  /**
   * @param {string} protocol the subprotocol that the server picked
   * @param {object} options of `convertUpgradeOptions()`
   * @param {object} socket what the script gets
   * @param {{ opened(upgrade: Upgrade): void, failed(upgrade: Upgrade, message: string): void }}
   *   kind what tells sockets of this kind
   */
  constructor(protocol, options, socket, kind) {
    this.protocol = protocol;
    this.options = options;
    this.socket = socket;
    this.kind = kind;
    // The ServerRequest whose connection it has.
    this.request = undefined;
    // The values of Sec-WebSocket-Accept, which HTTP/2 has not, and of
    // Sec-WebSocket-Extensions.
    this.accept = "";
    this.extensions = "";
    // The id of the exchange, from the answer until the socket opens.
    this.exchange = undefined;
    // The id of the connection, when there is one.
    this.id = undefined;
    // The request is claimed, and has not been answered.
    this.isPending = false;
    // The client was told that the handler takes too long: the handler's answer is of no use.
    this.isGivenUp = false;
    this.timer = undefined;
  }

  /**
   * The handshake was found to be right.
   *
   * @param {{ accept: string, extensions: string }} verdict of `readVerdict()`
   */
  agree({ accept, extensions }) {
    this.accept = accept;
    this.extensions = extensions;
  }

  /** The connection of `request` is to become the WebSocket. */
  claim(request) {
    this.request = request;
    this.isPending = true;
  }

  /** The handler will answer, but not at once. `giveUp(message)` is called when it takes too long. */
  startTimer(giveUp) {
    const { handshakeTimeout } = this.options;
    if (handshakeTimeout === 0) {
      return;
    }
    this.timer = core.createSystemTimer(
      () => {
        this.isGivenUp = true;
        giveUp(
          `The handshake was not answered within handshakeTimeout (${handshakeTimeout} s)`,
        );
      },
      MathMin(handshakeTimeout * 1000, MAX_TIMER),
      false,
    );
  }

  /** The request was answered, or cannot be answered any more. */
  settle() {
    this.isPending = false;
    if (this.timer !== undefined) {
      core.cancelTimer(this.timer);
      this.timer = undefined;
    }
  }

  /** The client was answered, and its connection has an id. */
  opened(id) {
    this.id = id;
    this.kind.opened(this);
  }

  /** There will be no socket. It is told later, so that whoever gets it can listen first. */
  failed(message) {
    PromisePrototypeThen(
      PromiseResolve(undefined),
      () => {
        if (this.socket !== undefined) {
          this.kind.failed(this, message);
        }
      },
    );
  }

  /** Nothing is to be told to the socket, which nobody has seen. */
  forget() {
    this.socket = undefined;
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

  #upgrade;
  #headerList = undefined;

  /** @param {Upgrade} upgrade the handshake that this answers */
  constructor(upgrade) {
    this.#upgrade = upgrade;
  }

  get headerList() {
    return this.#headerList ??= answerHeaders(this.#upgrade);
  }

  url() {
    return null;
  }

  /** Whether nobody has looked at the headers, so that they are as they were made. */
  static isUntouched(inner) {
    // deno-lint-ignore prefer-primordials -- it asks for a private name
    return #headerList in inner && inner.#headerList === undefined;
  }

  /**
   * The handshake that this answers, if no request has it; it is that of `request` then. This
   * is so where the handler was not given the request that the server has received, but a
   * copy of it.
   */
  static takeUpgrade(inner, request) {
    // deno-lint-ignore prefer-primordials -- it asks for a private name
    if (!(#upgrade in inner) || inner.#upgrade.request !== undefined) {
      return undefined;
    }
    const upgrade = inner.#upgrade;
    upgrade.request = request;
    return upgrade;
  }
}

const { isUntouched, takeUpgrade } = UpgradeResponse;

function answerHeaders({ accept, extensions, protocol }) {
  const list = [
    ["upgrade", "websocket"],
    ["connection", "Upgrade"],
  ];
  if (accept !== "") {
    ArrayPrototypePush(list, ["sec-websocket-accept", accept]);
  }
  if (protocol !== "") {
    ArrayPrototypePush(list, ["sec-websocket-protocol", protocol]);
  }
  if (extensions !== "") {
    ArrayPrototypePush(list, ["sec-websocket-extensions", extensions]);
  }
  return list;
}

export { isUntouched, takeUpgrade, Upgrade, UpgradeResponse };
