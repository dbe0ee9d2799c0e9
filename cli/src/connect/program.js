// `duplex connect`: a client, and with --listen a server, to try WebSockets on a terminal.
// cli/src/connect.rs gives the options as JSON in Deno.args[0].
import { readFileSync } from "node:fs";
import { Buffer } from "node:buffer";
import { openTerminal } from "./$duplex$connect_terminal.js";

const options = JSON.parse(Deno.args[0]);

/**
 * The exit codes of the program. docs/manual/reference/exit-codes.md describes
 * them for users.
 */
const exitCode = {
  closed: 0,
  mistake: 1,
  notConnected: 2,
  lost: 3,
  refused: 4,
};

/**
 * Whether a close code says that the connection ended without an error (RFC
 * 6455, section 7.4.1).
 */
const isGoodEnd = (code) => code === 1000 || code === 1001 || code === 1005;

const terminal = openTerminal(options);

// ---------------------------------------------------------------------------
// Output
// ---------------------------------------------------------------------------

/** Reports an event, as a line of JSON or as a line for people. */
function tell(event, text, mark) {
  if (options.json) {
    terminal.print(
      JSON.stringify({ time: new Date().toISOString(), ...event }),
    );
  } else if (event.event === "error") {
    terminal.say(text, mark);
  } else {
    terminal.note(text, mark);
  }
}

function tellMessage(data, peer) {
  const isText = typeof data === "string";
  const of = peer === undefined ? {} : { peer };
  if (options.json) {
    const content = isText
      ? { type: "text", data }
      : { type: "binary", data: Buffer.from(data).toString("base64") };
    tell({ event: "message", ...of, ...content });
  } else {
    terminal.message(isText ? data : new Uint8Array(data), peer);
  }
}

const textOf = (bytes) => new TextDecoder().decode(bytes);

function tellControl(event, data, peer) {
  const of = peer === undefined ? {} : { peer };
  const payload = textOf(data);
  const shown = payload === "" ? "" : ` "${payload}"`;
  tell({ event, ...of, data: payload }, `${event}${shown}`, peer);
}

function tellClose({ code, reason, wasClean }, peer) {
  const of = peer === undefined ? {} : { peer };
  const why = reason === "" ? "" : ` "${reason}"`;
  const how = wasClean ? "" : ", without a close handshake";
  tell(
    { event: "close", ...of, code, reason, wasClean },
    `closed with ${code}${why}${how}`,
    peer,
  );
}

function fail(text, code) {
  tell({ event: "error", message: text }, `error: ${text}`);
  terminal.close();
  Deno.exit(code);
}

// ---------------------------------------------------------------------------
// Round-trip times
// ---------------------------------------------------------------------------

/** Pings a socket each second, and measures the round-trip times. */
class RoundTrips {
  #timer;
  #times = [];
  #sent = new Map();
  #count = 0;

  start(socket) {
    const ping = () => {
      if (socket.readyState !== WebSocket.OPEN) return;
      const name = `rtt ${++this.#count}`;
      this.#sent.set(name, performance.now());
      socket.ping(name);
    };
    ping();
    this.#timer = setInterval(ping, 1000);
  }

  /**
   * Returns whether the pong answers a ping of this object. If so, the time is
   * reported.
   */
  take(data) {
    const name = textOf(data);
    const since = this.#sent.get(name);
    if (since === undefined) return false;
    this.#sent.delete(name);
    const time = performance.now() - since;
    this.#times.push(time);
    tell(
      { event: "rtt", milliseconds: time },
      `round trip: ${time.toFixed(3)} ms`,
    );
    return true;
  }

  stop() {
    clearInterval(this.#timer);
    this.#sent.clear();
  }

  tellAll() {
    if (this.#times.length === 0) return;
    const sorted = this.#times.toSorted((a, b) => a - b);
    const median = sorted[sorted.length >> 1];
    const [least, most] = [sorted[0], sorted.at(-1)];
    tell(
      { event: "rtts", count: sorted.length, least, median, most },
      `${sorted.length} round trips: least ${least.toFixed(3)}, median ${
        median.toFixed(3)
      }, most ${most.toFixed(3)} ms`,
    );
  }
}

// ---------------------------------------------------------------------------
// Input of the user
// ---------------------------------------------------------------------------

const HELP = `A line is sent as a text message.
/ping [TEXT]           send a ping
/pong [TEXT]           send a pong
/close [CODE [REASON]] close, with 1000 or a code from 3000 to 4999
/file PATH             send what is in a file as a binary message
/hex BYTES             send a binary message: /hex 00 ff 10
/terminate             drop the connection without a close handshake
/help                  show this
//…                    send a text that begins with one slash`;

function bytesOfHex(text) {
  const digits = text.replace(/[\s:,]/g, "");
  if (digits === "" || digits.length % 2 === 1 || /[^0-9a-f]/i.test(digits)) {
    throw new SyntaxError(
      "write two hexadecimal digits for each byte: /hex 00 ff 10",
    );
  }
  return Uint8Array.from(digits.match(/../g), (pair) => parseInt(pair, 16));
}

/**
 * Sends a line to each of these sockets, or executes the command in the line
 * for each of them.
 */
function act(line, sockets) {
  const [, command, rest] = /^\/([a-z]+)(?:\s+(.*))?$/su.exec(line) ?? [];
  const each = (act) => {
    if (sockets.length === 0) return terminal.note("nobody is connected");
    for (const socket of sockets) act(socket);
  };
  const text = rest ?? "";
  switch (command) {
    case undefined:
      if (line.startsWith("/") && !line.startsWith("//")) break;
      return each((socket) =>
        socket.send(line.startsWith("//") ? line.slice(1) : line)
      );
    case "ping":
      return each((socket) => socket.ping(text));
    case "pong":
      return each((socket) => socket.pong(text));
    case "close": {
      const [, code, reason] = /^(\d+)?\s*(.*)$/su.exec(text);
      const numbers = code === undefined ? [] : [Number(code), reason];
      return each((socket) => socket.close(...numbers));
    }
    case "file": {
      const bytes = readFileSync(text);
      return each((socket) => socket.send(bytes));
    }
    case "hex": {
      const bytes = bytesOfHex(text);
      return each((socket) => socket.send(bytes));
    }
    case "terminate":
      return each((socket) => socket.terminate());
    case "help":
      return terminal.say(HELP);
  }
  terminal.say(
    `there is no command "${line.split(/\s/u)[0]}"; /help lists them`,
  );
}

/** Like `act`, but reports errors. */
function obey(line, sockets) {
  try {
    act(line, sockets);
  } catch (error) {
    terminal.say(`error: ${error.message}`);
  }
}

// ---------------------------------------------------------------------------
// The client
// ---------------------------------------------------------------------------

function httpClient() {
  const { clientCertificate, proxy, unix, http2, headers, auth } = options;
  if (auth) {
    headers.push([
      "authorization",
      `Basic ${Buffer.from(auth).toString("base64")}`,
    ]);
  }
  const settings = {};
  const read = (path) => {
    try {
      return Deno.readTextFileSync(path);
    } catch (error) {
      fail(`unable to read "${path}": ${error.message}`, exitCode.mistake);
    }
  };
  if (clientCertificate) {
    settings.cert = read(clientCertificate[0]);
    settings.key = read(clientCertificate[1]);
  }
  if (unix) settings.proxy = { transport: "unix", path: unix };
  if (proxy) {
    const url = new URL(proxy);
    const { username, password } = url;
    if (username !== "" || password !== "") {
      settings.proxy = {
        basicAuth: {
          username: decodeURIComponent(username),
          password: decodeURIComponent(password),
        },
      };
    }
    url.username = url.password = "";
    settings.proxy = { ...settings.proxy, url: url.href };
  }
  if (http2 === "never") settings.http2 = false;
  if (http2 === "only") settings.http1 = false;
  if (headers.some(([name]) => name.toLowerCase() === "host")) {
    settings.allowHost = true;
  }
  return Object.keys(settings).length === 0
    ? undefined
    : Deno.createHttpClient(settings);
}

const LAST_PING = "is that all?";
/** How long to wait for the answer to the last ping, in milliseconds. */
const LONGEST_WAIT = 10_000;

class Client {
  #socket = null;
  #client = httpClient();
  #roundTrips = new RoundTrips();
  #attempt = 0;
  #received = 0;
  #isOpen = false;
  /** Whether the user or an option has ended the connection. */
  #isEnded = false;
  #error = "";
  #lines = [];
  #isStarted = false;

  dial() {
    const {
      headers,
      protocols,
      perMessageDeflate,
      connectTimeout,
      maxMessage,
    } = options;
    let socket;
    try {
      socket = new WebSocket(options.url, {
        protocols,
        headers,
        perMessageDeflate,
        ...(connectTimeout === null ? {} : { connectTimeout }),
        ...(maxMessage === null ? {} : { maxPayloadLength: maxMessage }),
        ...(this.#client ? { client: this.#client } : {}),
      });
    } catch (error) {
      fail(error.message, exitCode.mistake);
    }
    this.#socket = socket;
    this.#isOpen = false;
    this.#error = "";
    socket.binaryType = "arraybuffer";
    socket.onopen = () => this.#opened(socket);
    socket.onmessage = ({ data }) => this.#message(data);
    socket.onping = ({ data }) => tellControl("ping", data);
    socket.onpong = ({ data }) => {
      if (textOf(data) === LAST_PING) this.end();
      else if (!this.#roundTrips.take(data)) tellControl("pong", data);
    };
    socket.onerror = ({ message }) => this.#error = message ?? "";
    socket.onclose = (event) => this.#closed(event);
  }

  #opened(socket) {
    this.#isOpen = true;
    this.#attempt = 0;
    const { url, protocol, extensions } = socket;
    const agreed = [protocol && `subprotocol ${protocol}`, extensions].filter(
      Boolean,
    );
    tell(
      { event: "open", url, protocol, extensions },
      `connected to ${url}${
        agreed.length > 0 ? ` (${agreed.join("; ")})` : ""
      }`,
    );
    if (options.rtt) this.#roundTrips.start(socket);
    for (const line of this.#lines.splice(0)) this.#input(line);
    if (!this.#isStarted) {
      this.#isStarted = true;
      this.#sendWhatIsGiven(socket);
    }
  }

  /**
   * Sends the messages of the command line or, if there are none, of standard
   * input.
   */
  #sendWhatIsGiven(socket) {
    for (const { text, file } of options.messages) {
      if (text !== undefined) {
        socket.send(text);
        continue;
      }
      try {
        socket.send(readFileSync(file));
      } catch (error) {
        fail(`unable to read "${file}": ${error.message}`, exitCode.mistake);
      }
    }
    if (options.messages.length > 0) return this.#endSoon();
    const end = () => this.#endSoon();
    if (terminal.isInteractive) {
      terminal.readLines((line) => this.#input(line), end);
    } else if (options.input === "lines") {
      terminal.readLines((line) => this.#input(line), end);
    } else {
      terminal.readAll((bytes) => {
        this.#input(options.input === "text" ? textOf(bytes) : bytes);
        end();
      });
    }
  }

  #input(data) {
    const socket = this.#socket;
    if (socket.readyState !== WebSocket.OPEN) {
      // Between two connections, input waits for the next connection.
      if (options.reconnect && !this.#isEnded) this.#lines.push(data);
      return;
    }
    if (terminal.isInteractive) {
      obey(data, [socket]);
      // The user has closed the connection.
      if (socket.readyState !== WebSocket.OPEN) this.#isEnded = true;
      return;
    }
    socket.send(data);
    // If the peer is slow, no more input is read for a while.
    if (socket.bufferedAmount > 1 << 20) {
      terminal.pause();
      socket.ondrain = () => terminal.resume();
    }
  }

  #message(data) {
    tellMessage(data);
    this.#received += 1;
    if (options.count !== null && this.#received >= options.count) this.end();
  }

  /** Closes when the time to wait for answers is over. */
  #endSoon() {
    if (options.count !== null) return;
    if (options.wait !== null) {
      setTimeout(() => this.end(), options.wait * 1000);
    } // With --rtt, the connection stays open until an interrupt.
    else if (terminal.isInteractive || !options.rtt) this.#endAfterAnswers();
  }

  /**
   * Closes when the server has answered a ping, because the program does not
   * get messages that come after `close()`. A server that answers messages at
   * once has answered all of them before the ping.
   */
  #endAfterAnswers() {
    if (this.#socket.readyState !== WebSocket.OPEN) return this.end();
    this.#socket.ping(LAST_PING);
    setTimeout(() => this.end(), LONGEST_WAIT);
  }

  /** Closes the connection. The program ends when it has closed. */
  end() {
    if (this.#isEnded) return;
    this.#isEnded = true;
    if (this.#isOpen) this.#socket.close(1000);
    else this.#exitAtOnce();
  }

  /** Closes the connection. A second interrupt exits at once. */
  interrupt() {
    if (this.#isEnded) this.#exitAtOnce();
    this.end();
  }

  #exitAtOnce() {
    terminal.close();
    Deno.exit(this.#isOpen ? exitCode.lost : exitCode.notConnected);
  }

  #closed(event) {
    this.#roundTrips.stop();
    const wasOpen = this.#isOpen;
    if (wasOpen) tellClose(event);
    else {
      const message = this.#error || "the connection could not be made";
      tell({ event: "error", message }, `error: ${message}`);
    }
    this.#isOpen = false;
    const isMine = this.#isEnded || (wasOpen && isGoodEnd(event.code));
    if (options.reconnect !== null && !isMine) return this.#dialAgain();
    this.#roundTrips.tellAll();
    terminal.close();
    if (!wasOpen) Deno.exit(exitCode.notConnected);
    if (this.#isEnded && event.wasClean) Deno.exit(exitCode.closed);
    if (event.code === 1006) Deno.exit(exitCode.lost);
    Deno.exit(isGoodEnd(event.code) ? exitCode.closed : exitCode.refused);
  }

  /**
   * Waits longer each time. The time is random, so that not all clients connect
   * at the same time.
   */
  #dialAgain() {
    const longest = Math.min(options.reconnect, 2 ** this.#attempt++);
    const seconds = longest * (0.5 + Math.random() / 2);
    tell(
      { event: "reconnect", seconds },
      `connecting again in ${seconds.toFixed(1)} s`,
    );
    setTimeout(() => this.#isEnded || this.dial(), seconds * 1000);
  }
}

// ---------------------------------------------------------------------------
// The server
// ---------------------------------------------------------------------------

class Server {
  #sockets = new Map();
  #server;
  #count = 0;

  constructor() {
    const [hostname, port] = options.listen;
    try {
      this.#server = Deno.serve({
        hostname,
        port,
        onListen: ({ hostname, port }) => {
          const url = `ws://${
            hostname.includes(":") ? `[${hostname}]` : hostname
          }:${port}/`;
          tell({ event: "listen", url, port }, `Listening on ${url}`);
        },
      }, (request) => this.#accept(request));
    } catch (error) {
      fail(
        `unable to listen on ${hostname}:${port}: ${error.message}`,
        exitCode.notConnected,
      );
    }
    terminal.readLines(
      (line) => obey(line, [...this.#sockets.values()]),
      () => {
        if (terminal.isInteractive) this.interrupt();
      },
    );
  }

  #accept(request) {
    if (request.headers.get("upgrade")?.toLowerCase() !== "websocket") {
      tell(
        { event: "request", method: request.method, url: request.url },
        `${request.method} ${request.url}: no WebSocket, answered with 426`,
      );
      return new Response("This is a WebSocket server.\n", {
        status: 426,
        headers: { upgrade: "websocket", connection: "upgrade" },
      });
    }
    const offered = (request.headers.get("sec-websocket-protocol") ?? "").split(
      ",",
    )
      .map((name) => name.trim());
    const protocol = options.protocols.find((name) => offered.includes(name));
    const { socket, response } = Deno.upgradeWebSocket(request, {
      perMessageDeflate: options.perMessageDeflate,
      ...(protocol === undefined ? {} : { protocol }),
    });
    const peer = ++this.#count;
    socket.binaryType = "arraybuffer";
    socket.onopen = () => {
      this.#sockets.set(peer, socket);
      tell(
        { event: "open", peer, url: request.url, protocol: socket.protocol },
        `connected for ${new URL(request.url).pathname}`,
        peer,
      );
    };
    socket.onmessage = ({ data }) => {
      tellMessage(data, peer);
      if (options.echo) socket.send(data);
    };
    socket.onping = ({ data }) => tellControl("ping", data, peer);
    socket.onpong = ({ data }) => tellControl("pong", data, peer);
    socket.onclose = (event) => {
      this.#sockets.delete(peer);
      tellClose(event, peer);
    };
    return response;
  }

  interrupt() {
    terminal.close();
    for (const socket of this.#sockets.values()) socket.close(1001);
    setTimeout(() => Deno.exit(exitCode.closed), 2000);
    this.#server.shutdown().then(() => Deno.exit(exitCode.closed));
  }
}

const peer = options.listen ? new Server() : new Client();
peer.dial?.();
terminal.onInterrupt(() => peer.interrupt());
for (const signal of ["SIGINT", "SIGTERM"]) {
  Deno.addSignalListener(signal, () => peer.interrupt());
}
