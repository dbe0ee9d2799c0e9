// The tests of `ws` that do not pass here, and why. The same ones fail in Deno 2.9.8, whose
// modules of Node.js these are.

const blob =
  "a Blob of `fs.openAsBlob` is read when it is made, so a file that changes later is no error";
const inflate =
  "the zlib of deno_node has inflated a message by the time that the test closes";

export const KNOWN = {
  __proto__: null,
  "createWebSocketStream The returned stream does not swallow errors that may occur while destroying":
    "for corrupt data the stream of deno_node calls back twice: ERR_MULTIPLE_CALLBACK",
  "PerMessageDeflate #compress and #decompress calls the callback when an error occurs (inflate)":
    "the zlib of deno_node has no error for that text",
  "WebSocket Events emits the 'error' event only once (2/2)": blob,
  "WebSocket Events does not emit 'error' after 'close'": blob,
  "WebSocket Events emits an 'error' event if an error occurs (2/2)": blob,
  "WebSocket SSL works around a double 'error' event bug in Node.js":
    "it limits the client to TLS 1.1, which rustls does not have; the option is not heeded",
  "WebSocket permessage-deflate #close can be used while data is being decompressed":
    inflate,
  "WebSocket permessage-deflate #terminate can be used while data is being decompressed":
    inflate,
  "WebSocket permessage-deflate consumes all received data when connection is closed (2/2)":
    inflate,
};
