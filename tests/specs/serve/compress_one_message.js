// flags: --allow-net
// deno: servers have no handler objects
// The last argument of send() and publish() says whether this message is compressed.
import { assertEquals } from "../_assert.js";

const text = "a".repeat(1000);
const bytes = new Uint8Array(1000);
let server;
const tasks = {
  send: (ws, compress) => ws.send(text, compress),
  sendText: (ws, compress) => ws.sendText(text, compress),
  sendBinary: (ws, compress) => ws.sendBinary(bytes, compress),
  publish: (ws, compress) => ws.publish("room", text, compress),
  publishText: (ws, compress) => ws.publishText("room", text, compress),
  publishBinary: (ws, compress) => ws.publishBinary("room", bytes, compress),
  server: (_ws, compress) => server.publish("room", text, compress),
  options: (_ws, compress) => server.publish("room", text, { compress }),
};
const options = (perMessageDeflate) => ({
  hostname: "127.0.0.1",
  port: 0,
  onListen() {},
  fetch: (request, info) => {
    info.upgrade(request);
  },
  websocket: {
    perMessageDeflate,
    publishToSelf: true,
    open: (ws) => ws.subscribe("room"),
    message: (ws, data) => {
      const [task, compress] = JSON.parse(data);
      assertEquals(tasks[task](ws, compress ?? undefined), 1000);
    },
  },
});

/** Whether each message came compressed: the bit RSV1 of its frame. */
async function ask(port, questions) {
  const conn = await Deno.connect({ hostname: "127.0.0.1", port });
  const lines = [
    "GET / HTTP/1.1",
    "Host: localhost",
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Extensions: permessage-deflate",
    "",
    "",
  ];
  await conn.write(new TextEncoder().encode(lines.join("\r\n")));
  let input = new Uint8Array();
  const more = async () => {
    const buffer = new Uint8Array(8192);
    const count = await conn.read(buffer);
    if (count === null) throw new Error("the server has closed");
    input = new Uint8Array([...input, ...buffer.subarray(0, count)]);
  };
  const headEnd = () =>
    new TextDecoder("latin1").decode(input).indexOf("\r\n\r\n");
  while (headEnd() < 0) await more();
  input = input.subarray(headEnd() + 4);
  const found = [];
  for (const question of questions) {
    const payload = new TextEncoder().encode(JSON.stringify(question));
    // A mask of zeros leaves it as it is.
    await conn.write(
      new Uint8Array([0x81, 0x80 | payload.length, 0, 0, 0, 0, ...payload]),
    );
    while (input.length < 4) await more();
    const isLong = (input[1] & 0x7f) === 126;
    const length = isLong ? input[2] << 8 | input[3] : input[1] & 0x7f;
    const end = (isLong ? 4 : 2) + length;
    while (input.length < end) await more();
    found.push((input[0] & 0x40) !== 0);
    input = input.subarray(end);
  }
  conn.close();
  return found;
}

const questions = Object.keys(tasks).flatMap((task) => [
  [task],
  [task, true],
  [task, false],
  [task, true],
]);
server = Deno.serve(options(true));
assertEquals(
  (await ask(server.addr.port, questions)).join(),
  Object.keys(tasks).map(() => "true,true,false,true").join(),
);
await server.shutdown();

// Without the option nothing is compressed, whatever the argument says.
server = Deno.serve(options(false));
assertEquals(
  (await ask(server.addr.port, questions)).join(),
  questions.map(() => false).join(),
);
await server.shutdown();
console.log("ok");
