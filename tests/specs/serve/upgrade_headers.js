// flags: --allow-net
// deno: there is no option headers
// Headers on the answer to a handshake, and those that it may not have.
import { assert, assertEquals } from "../_assert.js";
import { header, rawClient } from "../_raw.js";

let options;
let error;
const server = Deno.serve(
  { hostname: "127.0.0.1", port: 0, onListen() {} },
  (request) => {
    try {
      return Deno.upgradeWebSocket(request, options).response;
    } catch (thrown) {
      error = thrown;
      return new Response(null, { status: 500 });
    }
  },
);
const { port } = server.addr;

options = {
  headers: [["Set-Cookie", "a=1"], ["Set-Cookie", "b=2"], ["X-Room", "one"]],
};
const { head, conn } = await rawClient(port);
assert(head.startsWith("HTTP/1.1 101 "), head);
assertEquals(head.match(/set-cookie: [^\r]*/gi).length, 2);
assertEquals(header(head, "x-room"), "one");
conn.close();

// A subprotocol there is the option `protocol`, and must have been offered.
options = { headers: { "Sec-WebSocket-Protocol": "chat" } };
const chat = await rawClient(port, { "Sec-WebSocket-Protocol": "a,chat" });
assertEquals(header(chat.head, "sec-websocket-protocol"), "chat");
chat.conn.close();

for (const name of ["Upgrade", "Connection", "Sec-WebSocket-Accept"]) {
  options = { headers: { [name]: "x" } };
  error = undefined;
  const { conn, head } = await rawClient(port);
  assert(head.startsWith("HTTP/1.1 500 "), head);
  assertEquals(error.name, "TypeError");
  assert(error.message.includes(name), error.message);
  conn.close();
}
await server.shutdown();
console.log("ok");
