// flags: --allow-net
// deno: WebSocketStream needs --unstable-net
// A signal gives up a connection that is not there yet, and nothing else.
import { assert, assertEquals } from "../_assert.js";
import { serveEcho } from "../_server.js";

async function reasons(stream) {
  const { opened, closed } = stream;
  return [
    await opened.catch((reason) => reason),
    await closed.catch((reason) => reason),
  ];
}

// Before: nothing is dialled.
const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
const url = `ws://127.0.0.1:${listener.addr.port}/`;
{
  const stream = new WebSocketStream(url, { signal: AbortSignal.abort() });
  const [opened, closed] = await reasons(stream);
  assertEquals(opened.name, "AbortError");
  assert(opened === closed);
  for (const reason of [new Error("mine"), null, "text"]) {
    const signal = AbortSignal.abort(reason);
    assertEquals(
      await reasons(new WebSocketStream(url, { signal })),
      [reason, reason],
    );
  }
}

// While it connects: the first connection that came is this one, not one of
// those before, and it ends.
{
  const controller = new AbortController();
  const { signal } = controller;
  const stream = new WebSocketStream(url, { signal });
  const conn = await listener.accept();
  const reason = new Error("mine");
  controller.abort(reason);
  controller.abort("again");
  const [opened, closed] = await reasons(stream);
  assert(opened === reason && closed === reason);
  for (const chunk = new Uint8Array(4096); await conn.read(chunk) !== null;);
  conn.close();
  // And with a timeout for reason.
  const timed = new WebSocketStream(url, { signal: AbortSignal.timeout(1) });
  const other = await listener.accept();
  assertEquals((await reasons(timed)).map(({ name }) => name), [
    "TimeoutError",
    "TimeoutError",
  ]);
  other.close();
}
listener.close();

// After: nothing happens, and the signal does not hold the stream.
{
  const server = serveEcho();
  const controller = new AbortController();
  const { signal } = controller;
  const stream = new WebSocketStream(server.url, { signal });
  const { readable, writable } = await stream.opened;
  controller.abort();
  const writer = writable.getWriter();
  await writer.write("still there");
  assertEquals((await readable.getReader().read()).value, "still there");
  stream.close();
  await stream.closed;
  await server.stop();
}

// A script that gives up itself need not look at the promises.
new WebSocketStream("ws://127.0.0.1:1/", { signal: AbortSignal.abort() });
new WebSocketStream("ws://127.0.0.1:1/").close();
console.log("ok");
