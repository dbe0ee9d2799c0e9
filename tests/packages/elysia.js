// server: elysia @elysiajs/node
// flags: --unstable-net
import { node } from "@elysiajs/node";
import { Elysia } from "elysia";
import { equal, event, exit, freePort, reason, text } from "./_kit.js";

const app = new Elysia({ adapter: node() })
  .get("/user/:name", ({ params }) => params)
  .ws("/ws", {
    message(socket, message) {
      if (message === "close") socket.close(4001, reason);
      else socket.send(message);
    },
  });
const port = await freePort();
await new Promise((resolve) =>
  app.listen({ hostname: "127.0.0.1", port }, resolve)
);
equal(await (await fetch(`http://127.0.0.1:${port}/user/x`)).json(), {
  name: "x",
});
const socket = new WebSocket(`ws://127.0.0.1:${port}/ws`);
await event(socket, "open");
// Binary reaches the handler as a string.
for (const message of [text, text.repeat(10_000)]) {
  const answer = event(socket, "message");
  socket.send(message);
  equal((await answer).data, message);
}
const closed = event(socket, "close");
socket.send("close");
const { code, reason: why } = await closed;
equal([code, why], [4001, reason]);

console.log("ok");
// Its adapter for Node.js cannot be stopped.
exit();
