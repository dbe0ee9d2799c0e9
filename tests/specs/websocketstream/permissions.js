// flags: --allow-net=127.0.0.1
// deno: WebSocketStream needs --unstable-net
// The same permission as a WebSocket needs, before anything is looked up.
import { assert, assertEquals, assertThrows } from "../_assert.js";
import { serveEcho } from "../_server.js";

const error = assertThrows(
  () => new WebSocketStream("ws://no-such-host.invalid/"),
  "NotCapable",
  'Requires net access to "no-such-host.invalid:80", run again with the --allow-net flag',
);
assert(error instanceof Deno.errors.NotCapable);
assertThrows(
  () => new WebSocketStream("wss://example.org/"),
  "NotCapable",
  '"example.org:443"',
);
// Also where the signal would have it not be dialled.
assertThrows(
  () =>
    new WebSocketStream("ws://example.org/", { signal: AbortSignal.abort() }),
  "NotCapable",
);

const server = serveEcho();
const stream = new WebSocketStream(server.url);
await stream.opened;
stream.close();
assertEquals(await stream.closed, { closeCode: 1005, reason: "" });
await server.stop();
console.log("ok");
