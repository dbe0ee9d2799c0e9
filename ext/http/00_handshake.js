// A WebSocket handshake that a handler agrees to, and its response.

import { core, primordials } from "ext:duplex_websocket/00_core.js";

const { ArrayPrototypePush, MathMin, PromisePrototypeThen, PromiseResolve } =
  primordials;

// The longest time of a timer, in milliseconds.
const MAX_TIMER = 2 ** 31 - 1;

/**
 * The state of one handshake, from the call of `upgradeWebSocket()` until the
 * socket is open or has failed.
 */
class Upgrade {
  /**
   * @param {string} protocol the subprotocol that the server picked
   * @param {object} options of `convertUpgradeOptions()`
   * @param {object} socket the object that the script gets
   * @param {{ opened(upgrade: Upgrade): void, failed(upgrade: Upgrade, message:
   *   string): void }} kind tells sockets of this kind
   */
  constructor(protocol, options, socket, kind) {
    this.protocol = protocol;
    this.options = options;
    this.socket = socket;
    this.kind = kind;
    // The ServerRequest whose connection the handshake has.
    this.request = undefined;
    // The values of Sec-WebSocket-Accept, which HTTP/2 does not have, and of
    // Sec-WebSocket-Extensions.
    this.accept = "";
    this.extensions = "";
    // The id of the exchange, from the answer until the socket opens.
    this.exchange = undefined;
    // The id of the connection, when there is one.
    this.id = undefined;
    // Whether the request is claimed, and has not been answered.
    this.isPending = false;
    // Whether the client was answered because the handler took too long. The
    // handler's answer is then ignored.
    this.isGivenUp = false;
    this.timer = undefined;
  }

  /**
   * The handshake was checked and accepted.
   *
   * @param {{ accept: string, extensions: string }} verdict of `readVerdict()`
   */
  agree({ accept, extensions }) {
    this.accept = accept;
    this.extensions = extensions;
  }

  /** Claims the connection of `request` for the WebSocket. */
  claim(request) {
    this.request = request;
    this.isPending = true;
  }

  /**
   * The handler will answer, but not at once. `giveUp(message)` is called if
   * the handler takes too long.
   */
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

  /**
   * The socket will not open. The socket is told later, so that the script can
   * add listeners first.
   */
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

  /** Forgets the socket, which the script has not got. It is told nothing. */
  forget() {
    this.socket = undefined;
  }
}

/**
 * A response with status 101, in the form of an inner response of the class
 * `Response`. Its headers are made when they are first read.
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

  /** @param {Upgrade} upgrade the handshake that this response answers */
  constructor(upgrade) {
    this.#upgrade = upgrade;
  }

  get headerList() {
    return this.#headerList ??= answerHeaders(this.#upgrade);
  }

  url() {
    return null;
  }

  /**
   * Whether the headers have not been read, so that the program cannot have
   * changed them.
   */
  static isUntouched(inner) {
    // deno-lint-ignore prefer-primordials -- it asks for a private name
    return #headerList in inner && inner.#headerList === undefined;
  }

  /**
   * Takes the handshake that this response answers for `request`, if no request
   * has it. This happens if the handler used a copy of the request that the
   * server received.
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
