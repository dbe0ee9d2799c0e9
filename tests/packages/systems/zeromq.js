import { Buffer } from "node:buffer";
import { createServer } from "node:http";
import * as zmq from "jszmq";
import { binary, equal, equalBinary, inbox, listen, text } from "../_kit.js";
import { system } from "./_system.js";

system({
  async serve() {
    const http = createServer();
    const port = await listen(http);
    const reply = new zmq.Rep();
    reply.bind(`ws://127.0.0.1:${port}/echo`, http);
    reply.on("message", (...parts) => reply.send(parts));
    return port;
  },
  async talk(url) {
    const request = new zmq.Req();
    const replies = inbox();
    request.on("message", (...parts) => replies.push(parts));
    request.connect(new URL("/echo", url).href);
    request.send([text, "last"]);
    equal((await replies.next()).map(String), [text, "last"]);
    request.send(Buffer.from(binary));
    await equalBinary((await replies.next())[0]);
    request.close();
  },
});
