// The server as the manual of uWebSockets.js writes it, for Node.js:
// `uws.cjs echo|deflate|deflate-alone|loop|topic [FOLDER of cert.pem and key.pem]`.
const uws = require("@trufflesuite/uws-js-unofficial");
const [kind, folder] = process.argv.slice(2);
const sockets = new Set();

const kinds = {
  echo: { message: (ws, data, binary) => ws.send(data, binary) },
  "deflate": {
    compression: uws.DEDICATED_COMPRESSOR | uws.DEDICATED_DECOMPRESSOR,
    message: (ws, data, binary) => ws.send(data, binary, true),
  },
  "deflate-alone": {
    compression: uws.SHARED_COMPRESSOR | uws.SHARED_DECOMPRESSOR,
    message: (ws, data, binary) => ws.send(data, binary, true),
  },
  loop: {
    // Who only listens is not to be pinged while it is measured.
    idleTimeout: 0,
    open: (ws) => sockets.add(ws),
    message(_ws, data, binary) {
      for (const ws of sockets) ws.send(data, binary);
    },
    close: (ws) => sockets.delete(ws),
  },
  topic: {
    idleTimeout: 0,
    open: (ws) => ws.subscribe("all"),
    message: (_ws, data, binary) => app.publish("all", data, binary),
  },
};

const app = folder === undefined ? uws.App() : uws.SSLApp({
  cert_file_name: `${folder}/cert.pem`,
  key_file_name: `${folder}/key.pem`,
});
app.ws("/*", {
  maxPayloadLength: 16 << 20,
  maxBackpressure: 64 << 20,
  ...kinds[kind],
});
app.listen(
  "127.0.0.1",
  0,
  (socket) => console.log(uws.us_socket_local_port(socket)),
);
