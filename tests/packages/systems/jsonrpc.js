import { once } from "node:events";
import JSONRPC from "jsonrpc-bidirectional";
import WebSocket from "ws-5";
import { equal, text } from "../_kit.js";
import { system } from "./_system.js";

class Endpoint extends JSONRPC.EndpointBase {
  constructor() {
    super("Test", "/api", {}, JSONRPC.Client);
  }
  echo(_request, message) {
    return message;
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

system({
  async serve() {
    const sockets = new WebSocket.Server({ host: "127.0.0.1", port: 0 });
    await once(sockets, "listening");
    const far = router();
    sockets.on(
      "connection",
      (socket, request) => far.addWebSocketSync(socket, request),
    );
    return sockets.address().port;
  },
  async talk({ host }) {
    const socket = new WebSocket(`ws://${host}/api`);
    await once(socket, "open");
    const near = router();
    const id = near.addWebSocketSync(socket);
    const client = near.connectionIDToSingletonClient(id, JSONRPC.Client);
    for (const message of [text, text.repeat(10_000)]) {
      equal(await client.rpc("echo", [message]), message);
    }
    equal(await client.rpc("back", [text]), text);
    socket.close(4002);
    await once(socket, "close");
  },
});
