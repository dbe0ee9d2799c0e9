// client: jsonrpc-bidirectional
// server: jsonrpc-bidirectional
import JSONRPC from "jsonrpc-bidirectional";
import { once } from "node:events";
// The version that the package is written for: text comes as a string.
import WebSocket from "ws-5";
import { equal, text } from "./_kit.js";

class Endpoint extends JSONRPC.EndpointBase {
  constructor() {
    super("Test", "/api", {}, JSONRPC.Client);
  }
  echo(_request, message) {
    return message;
  }
  fail(_request, message) {
    throw new JSONRPC.Exception(message);
  }
  back(request, message) {
    return request.reverseCallsClient.rpc("echo", [message]);
  }
}
const router = () => {
  const server = new JSONRPC.Server();
  server.registerEndpoint(new Endpoint());
  server.addPlugin(new JSONRPC.Plugins.Server.AuthenticationSkip());
  server.addPlugin(new JSONRPC.Plugins.Server.AuthorizeAll());
  return new JSONRPC.BidirectionalWebsocketRouter(server);
};

const sockets = new WebSocket.Server({ host: "127.0.0.1", port: 0 });
await once(sockets, "listening");
const far = router();
sockets.on(
  "connection",
  (socket, request) => far.addWebSocketSync(socket, request),
);

const socket = new WebSocket(`ws://127.0.0.1:${sockets.address().port}/api`);
await once(socket, "open");
const near = router();
const id = near.addWebSocketSync(socket);
const client = near.connectionIDToSingletonClient(id, JSONRPC.Client);
const long = text.repeat(10_000);
equal(await client.rpc("echo", [text]), text);
equal(await client.rpc("echo", [long]), long);
equal(await client.rpc("back", [text]), text);
const error = await client.rpc("fail", [text]).catch((error) => error);
equal(error.message, text);
socket.close(4002);
await once(socket, "close");
sockets.close();
console.log("ok");
