// The tests of `ws` that do not pass here, and why.

const RECEIVER =
  "looks at the receiver of ws, in whose place is the protocol crate";
const SYNCHRONOUS =
  "needs compression that is under way when the call returns; here it is done by then";
const TLS_ON_SOCKET =
  "hands a plain socket to a server of node:https, which takes only its own";

const CTOR = "#ctor options accepts the receiver limit options";
const AWAY =
  "WebSocket Connection establishing When moving away from a secure context";
const DEFLATE = "WebSocket permessage-deflate";
const STREAM = "createWebSocketStream The returned stream";

export const KNOWN = {
  __proto__: null,
  [`WebSocketServer ${CTOR}`]: RECEIVER,
  [`WebSocket ${CTOR}`]: RECEIVER,
  "WebSocket Attributes `bufferedAmount` takes into account the data in the socket queue":
    "counts the headers of frames, which the standard does not",
  "WebSocket Events does not re-emit `net.Socket` errors":
    "resets a TCP connection, which Deno.Conn cannot",
  [`${AWAY} If there is no 'redirect' event listener drops the \`auth\` option`]:
    TLS_ON_SOCKET,
  [`${AWAY} If there is no 'redirect' event listener drops the Authorization and Cookie headers`]:
    TLS_ON_SOCKET,
  [`${AWAY} If there is at least one 'redirect' event listener does not drop any headers by default`]:
    TLS_ON_SOCKET,
  "WebSocket SSL connects to secure websocket server with client side certificate":
    "asks clients for certificates, which Deno.listenTls cannot",
  [`${DEFLATE} consumes all received data when connection is closed (1/2)`]:
    RECEIVER,
  [`${DEFLATE} consumes all received data when connection is closed (2/2)`]:
    RECEIVER,
  [`${DEFLATE} handles a close frame received while compressing data`]:
    RECEIVER,
  [`${DEFLATE} #close can be used while data is being decompressed`]: RECEIVER,
  [`${DEFLATE} #send calls the callback if the socket is closed prematurely`]:
    SYNCHRONOUS,
  [`${DEFLATE} #terminate can be used while data is being compressed`]:
    SYNCHRONOUS,
  [`${DEFLATE} #terminate can be used while data is being decompressed`]:
    RECEIVER,
  [`${STREAM} errors if a write occurs when \`readyState\` is \`CLOSING\``]:
    RECEIVER,
  [`${STREAM} does not swallow errors that may occur while destroying`]:
    "needs an error of zlib",
  [`${STREAM} handles backpressure (2/3)`]: RECEIVER,
  [`${STREAM} handles backpressure (3/3)`]: RECEIVER,
};
