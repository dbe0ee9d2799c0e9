import { createServer } from "node:http";
import client from "socketcluster-client";
import server from "socketcluster-server";
import { equal, listen, reason, text } from "../_kit.js";
import { system } from "./_system.js";

system({
  serve() {
    const http = createServer();
    const cluster = server.attach(http);
    (async () => {
      for await (const { socket } of cluster.listener("connection")) {
        (async () => {
          for await (const request of socket.procedure("echo")) {
            request.end(request.data);
          }
        })();
        (async () => {
          for await (const _ of socket.receiver("leave")) {
            socket.disconnect(4001, reason);
          }
        })();
      }
    })();
    return listen(http);
  },
  async talk({ hostname, port }) {
    const socket = client.create({ hostname, port, autoReconnect: false });
    for (const message of [text, text.repeat(10_000)]) {
      equal(await socket.invoke("echo", message), message);
    }
    const gone = socket.listener("disconnect").once();
    socket.transmit("leave");
    const { code, reason: why } = await gone;
    equal([code, why], [4001, reason]);
  },
});
