// client: websocket-stream
// server: websocket-stream
import { Buffer } from "node:buffer";
import { once } from "node:events";
import { createServer } from "node:http";
import websocket from "websocket-stream";
import { binary, equal, equalBinary, listen, text } from "./_kit.js";

const http = createServer();
const server = websocket.createServer(
  { server: http },
  (stream) => stream.pipe(stream),
);
const stream = websocket(`ws://127.0.0.1:${await listen(http)}`);
stream.write(text);
equal(String((await once(stream, "data"))[0]), text);
stream.write(Buffer.from(binary));
await equalBinary((await once(stream, "data"))[0]);
stream.end();
await once(stream, "close");
server.close();
http.close();
console.log("ok");
