// flags: --allow-net
// deno: WebSocketStream needs --unstable-net
// The streams take part in pipes, and close through them.
import { assertEquals, assertRejects } from "../_assert.js";
import { serveEcho } from "../_server.js";

const server = serveEcho({ perMessageDeflate: true });

// Through the connection and back.
{
  const stream = new WebSocketStream(server.url);
  const { readable, writable } = await stream.opened;
  const count = 2000;
  const source = ReadableStream.from(
    (function* () {
      for (let i = 0; i < count; i++) yield `${i} `.repeat(100);
    })(),
  );
  const sending = source.pipeTo(writable, { preventClose: true });
  let received = 0;
  for await (const chunk of readable) {
    assertEquals(chunk, `${received} `.repeat(100));
    if (++received === count) break;
  }
  await sending;
  assertEquals(await stream.closed, { closeCode: 1005, reason: "" });
}

// From one connection into another; its end is the other's end.
{
  const one = new WebSocketStream(server.url);
  const two = new WebSocketStream(server.url);
  const [a, b] = await Promise.all([one.opened, two.opened]);
  const upper = new TransformStream({
    transform: (chunk, controller) => controller.enqueue(chunk.toUpperCase()),
  });
  const piping = a.readable.pipeThrough(upper).pipeTo(b.writable);
  const writer = a.writable.getWriter();
  const reader = b.readable.getReader();
  for (const text of ["a", "b", "c"]) {
    await writer.write(text);
    assertEquals((await reader.read()).value, text.toUpperCase());
  }
  await writer.close();
  await piping;
  assertEquals(await reader.read(), { value: undefined, done: true });
  assertEquals(await two.closed, { closeCode: 1005, reason: "" });
}

// A source that fails aborts the writable; its error may say with which code.
{
  const stream = new WebSocketStream(server.url);
  const { writable } = await stream.opened;
  const reason = new WebSocketError("", { closeCode: 4321, reason: "failed" });
  const source = new ReadableStream({
    pull: (controller) => controller.error(reason),
  });
  await assertRejects(source.pipeTo(writable), "WebSocketError");
  assertEquals(await stream.closed, { closeCode: 4321, reason: "failed" });
}

// And the two halves of tee() have the same messages.
{
  const stream = new WebSocketStream(server.url);
  const { readable, writable } = await stream.opened;
  const halves = readable.tee().map((half) => Array.fromAsync(half));
  const writer = writable.getWriter();
  for (let i = 0; i < 10; i++) await writer.write(`${i}`);
  await writer.close();
  const [left, right] = await Promise.all(halves);
  assertEquals(left, right);
}
await server.stop();
console.log("ok");
