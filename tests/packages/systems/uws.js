// uWebSockets.js, a native addon for Node.js, so a server there only.
import uws from "@trufflesuite/uws-js-unofficial";
import { reason } from "../_kit.js";
import { system } from "./_system.js";

system({
  serve() {
    const decoder = new TextDecoder();
    const app = uws.App().ws("/*", {
      compression: uws.SHARED_COMPRESSOR,
      maxPayloadLength: 1 << 20,
      message(socket, message, isBinary) {
        const words = isBinary ? "" : decoder.decode(message);
        if (words === "close") socket.end(4001, reason);
        else if (words === "ping") socket.ping("p");
        else socket.send(message, isBinary, true);
      },
      pong: (socket) => socket.send("pong"),
      close: (_, code, message) =>
        console.log(`closed ${code} ${decoder.decode(message)}`),
    });
    return new Promise((resolve) => {
      app.listen(
        "127.0.0.1",
        0,
        (listening) => resolve(uws.us_socket_local_port(listening)),
      );
    });
  },
});
