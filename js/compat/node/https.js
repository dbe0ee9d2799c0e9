// node:https

import http, { requestArgs, serve, takeServerOptions } from "node:http";
import tls, { Server as TlsServer } from "node:tls";

class Server extends TlsServer {
  headersTimeout = 60_000;
  keepAliveTimeout = 5000;
  requestTimeout = 300_000;
  maxHeadersCount = null;
  timeout = 0;

  constructor(options = {}, onRequest) {
    if (typeof options === "function") {
      [options, onRequest] = [{}, options];
    }
    super({ ALPNProtocols: ["http/1.1"], ...options, allowHalfOpen: true });
    takeServerOptions(this, options);
    if (onRequest !== undefined) {
      this.on("request", onRequest);
    }
    this.on(
      "secureConnection",
      (socket) => serve(this, socket, options.maxHeaderSize),
    );
  }

  setTimeout(timeout, callback) {
    return http.Server.prototype.setTimeout.call(this, timeout, callback);
  }

  close(callback) {
    super.close(callback);
    this.closeIdleConnections();
    return this;
  }

  closeAllConnections() {
    http.Server.prototype.closeAllConnections.call(this);
  }

  closeIdleConnections() {
    http.Server.prototype.closeIdleConnections.call(this);
  }
}

class Agent extends http.Agent {
  defaultPort = 443;
  protocol = "https:";

  createConnection(options, callback) {
    return tls.connect(options, callback);
  }
}

const globalAgent = new Agent();

function createServer(options, onRequest) {
  return new Server(options, onRequest);
}

function request(input, options, callback) {
  [options, callback] = requestArgs(input, options, callback);
  return new http.ClientRequest(
    { ...options, _defaultAgent: globalAgent },
    callback,
  );
}

function get(input, options, callback) {
  const it = request(input, options, callback);
  it.end();
  return it;
}

export default { Agent, createServer, get, globalAgent, request, Server };
export { Agent, createServer, get, globalAgent, request, Server };
