// node:tls

import { core } from "ext:core/mod.js";
import EventEmitter from "node:events";
import { missing, systemError, withCode } from "node:internal/errors";
import { kConn, normalizeArgs, Server as NetServer, Socket } from "node:net";

const { op_node_tls_start, op_tls_handshake } = core.ops;
const { internalRidSymbol } = core;
const { TlsConn } = core.loadExtScript("ext:deno_net/02_tls.js");

const DEFAULT_MIN_VERSION = "TLSv1.2";
const DEFAULT_MAX_VERSION = "TLSv1.3";

/** PEM as text; several certificates become one chain. */
function pem(value) {
  if (value === undefined || value === null) {
    return undefined;
  }
  return Array.isArray(value)
    ? value.map(pem).join("\n")
    : typeof value === "string"
    ? value
    : new TextDecoder().decode(value);
}

/** Refuses what TLS of this runtime cannot do. */
function checkOptions(options) {
  for (const name of ["pfx", "passphrase", "ciphers", "secureContext"]) {
    if (options[name] !== undefined) {
      throw missing(`the option \`${name}\` of TLS`);
    }
  }
  const versions = ["TLSv1.2", "TLSv1.3"];
  const { minVersion, maxVersion } = options;
  if (
    (minVersion !== undefined && minVersion === "TLSv1.3") ||
    (maxVersion !== undefined && !versions.includes(maxVersion))
  ) {
    throw withCode(
      new Error(`TLS 1.2 and 1.3 are spoken, and no version alone`),
      "ERR_TLS_PROTOCOL_VERSION_CONFLICT",
    );
  }
}

/** Either end of a TLS connection. */
class TLSSocket extends Socket {
  #options;
  encrypted = true;
  authorized = false;
  authorizationError = null;
  alpnProtocol = false;

  constructor(socket, options = {}) {
    if (socket instanceof EventEmitter) {
      throw missing("new tls.TLSSocket(socket)");
    }
    super(options);
    this.#options = options;
    if (options[kConn] !== undefined) {
      // No client ends the program by a handshake that fails.
      this.#handshake(options[kConn]).catch((error) => {
        this.destroy();
        this.server?.emit("tlsClientError", systemError(error, "read"), this);
      });
    }
  }

  async #handshake(conn) {
    const { alpnProtocol } = await op_tls_handshake(conn[internalRidSymbol]);
    this.alpnProtocol = alpnProtocol ?? false;
  }

  get servername() {
    return this.#options.servername;
  }

  async _dial(options) {
    if (options.path !== undefined) {
      throw missing("TLS over a unix socket");
    }
    checkOptions(options);
    const conn = await super._dial(options);
    const host = options.host ?? "localhost";
    const rid = op_node_tls_start(conn[internalRidSymbol], {
      serverName: options.servername || host,
      caCerts: options.ca === undefined
        ? []
        : [options.ca].flat().map((it) => pem(it)),
      cert: pem(options.cert),
      key: pem(options.key),
      alpnProtocols: options.ALPNProtocols ?? [],
      rejectUnauthorized: options.rejectUnauthorized !== false,
    });
    const secure = new TlsConn(rid, conn.remoteAddr, conn.localAddr);
    try {
      await this.#handshake(secure);
    } catch (error) {
      secure.close();
      const failure = systemError(error, "connect");
      if (failure === error && error.code === undefined) {
        error.code = "ERR_SSL_HANDSHAKE_FAILED";
      }
      throw failure;
    }
    this.authorized = options.rejectUnauthorized !== false;
    queueMicrotask(() => this.emit("secureConnect"));
    return secure;
  }

  getProtocol() {
    throw missing("tlsSocket.getProtocol()");
  }

  getPeerCertificate() {
    throw missing("tlsSocket.getPeerCertificate()");
  }

  getCipher() {
    throw missing("tlsSocket.getCipher()");
  }
}

/** Emits 'secureConnection' in place of 'connection'. */
class Server extends NetServer {
  #options;

  constructor(options = {}, onSecureConnection) {
    if (typeof options === "function") {
      [options, onSecureConnection] = [{}, options];
    }
    super(options);
    checkOptions(options);
    if (options.requestCert || options.SNICallback !== undefined) {
      throw missing(
        "the options `requestCert` and `SNICallback` of TLS servers",
      );
    }
    this.#options = options;
    if (onSecureConnection !== undefined) {
      this.on("secureConnection", onSecureConnection);
    }
    this.on("connection", (socket) => {
      if (!(socket instanceof TLSSocket)) {
        socket.destroy(
          missing("TLS on a socket that a script hands to the server"),
        );
        return;
      }
      this.emit("secureConnection", socket);
    });
  }

  setSecureContext(options) {
    this.#options = { ...this.#options, ...options };
  }

  _listen(options) {
    const { cert, key, ALPNProtocols } = this.#options;
    return Deno.listenTls({
      ...options,
      cert: pem(cert),
      key: pem(key),
      alpnProtocols: ALPNProtocols,
    });
  }

  _socket(conn) {
    return new TLSSocket(undefined, {
      [kConn]: conn,
      allowHalfOpen: this.allowHalfOpen,
      server: this,
    });
  }
}

function createServer(options, onSecureConnection) {
  return new Server(options, onSecureConnection);
}

function connect(...args) {
  const [options, callback] = normalizeArgs(args);
  if (options.socket !== undefined) {
    throw missing("the option `socket` of tls.connect()");
  }
  const extra = args.find((it, i) => i > 0 && typeof it === "object");
  const all = { ...options, ...extra };
  const socket = new TLSSocket(undefined, all);
  if (callback !== undefined) {
    socket.once("secureConnect", callback);
  }
  if (all.timeout) {
    socket.setTimeout(all.timeout);
  }
  return socket.connect(all);
}

function createSecureContext() {
  throw missing("tls.createSecureContext()");
}

const tls = {
  connect,
  createSecureContext,
  createServer,
  DEFAULT_MAX_VERSION,
  DEFAULT_MIN_VERSION,
  Server,
  TLSSocket,
};
export default tls;
export {
  connect,
  createSecureContext,
  createServer,
  DEFAULT_MAX_VERSION,
  DEFAULT_MIN_VERSION,
  Server,
  TLSSocket,
};
