// flags: --allow-net
// deno: `protocols` in the options must be a list
// Subprotocols as a string, as any iterable, and in a bag of options.
import { assertEquals, assertThrows, once } from "../_assert.js";
import { header, rawServer, switching, write } from "../_raw.js";

async function offered(argument) {
  const { url, done } = rawServer(async (conn, reader, head) => {
    const names = header(head, "sec-websocket-protocol")?.split(", ") ?? [];
    const answer = names.length === 0
      ? ""
      : `Sec-WebSocket-Protocol: ${names.at(-1)}\r\n`;
    await write(conn, await switching(head, answer));
    await reader.close();
    return names;
  });
  const socket = new WebSocket(url, argument);
  assertEquals(socket.protocol, "");
  await once(socket, "open");
  const { protocol } = socket;
  socket.close();
  const names = await done;
  assertEquals(protocol, names.at(-1) ?? "");
  return names;
}

assertEquals(await offered(undefined), []);
assertEquals(await offered("chat"), ["chat"]);
assertEquals(await offered(1), ["1"]);
assertEquals(await offered([]), []);
assertEquals(await offered(["a", "b"]), ["a", "b"]);
assertEquals(await offered(new Set(["a", "b"])), ["a", "b"]);
assertEquals(await offered(new String("ab")), ["a", "b"]);
assertEquals(await offered({}), []);
assertEquals(await offered({ [Symbol.iterator]: null }), []);
assertEquals(await offered({ protocols: "chat" }), ["chat"]);
assertEquals(await offered({ protocols: ["a", "b"], headers: {} }), ["a", "b"]);

const url = "ws://127.0.0.1:1/";
const bad = (argument, name) =>
  assertThrows(() => new WebSocket(url, argument), name);
bad({ protocols: "not one" }, "SyntaxError");
bad({ protocols: ["a", "A"] }, "SyntaxError");
bad({ headers: { "bad name": "x" } }, "TypeError");
bad({ client: {} }, "TypeError");
bad([Symbol("name")], "TypeError");
bad({ [Symbol.iterator]: 5 }, "TypeError");
console.log("ok");
