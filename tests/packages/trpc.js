// client: @trpc/client
// server: @trpc/server
// ci: yes
import { createTRPCClient, createWSClient, wsLink } from "@trpc/client";
import { initTRPC } from "@trpc/server";
import { applyWSSHandler } from "@trpc/server/adapters/ws";
import { once } from "node:events";
import { WebSocketServer } from "ws";
import { equal, inbox, text } from "./_kit.js";

const t = initTRPC.create();
const word = t.procedure.input((value) => String(value));
const router = t.router({
  echo: word.query(({ input }) => input),
  fail: t.procedure.mutation(() => {
    throw new Error(text);
  }),
  letters: word.subscription(async function* ({ input }) {
    for (const letter of input) {
      await Promise.resolve();
      yield letter;
    }
  }),
});
const long = text.repeat(10_000);

const sockets = new WebSocketServer({ host: "127.0.0.1", port: 0 });
await once(sockets, "listening");
applyWSSHandler({ wss: sockets, router, keepAlive: { enabled: true } });
const closed = inbox();
const ws = createWSClient({
  url: `ws://127.0.0.1:${sockets.address().port}`,
  onClose: closed.push,
});
const client = createTRPCClient({ links: [wsLink({ client: ws })] });

equal(await client.echo.query(text), text);
equal(await client.echo.query(long), long);
const error = await client.fail.mutate().catch((error) => error);
equal([error.message, error.data.code], [text, "INTERNAL_SERVER_ERROR"]);
const letters = [];
await new Promise((resolve, reject) => {
  client.letters.subscribe(text, {
    onData: (letter) => letters.push(letter),
    onComplete: resolve,
    onError: reject,
  });
});
equal(letters, [...text]);

await ws.close();
await closed.next();
sockets.close();
await once(sockets, "close");
console.log("ok");
