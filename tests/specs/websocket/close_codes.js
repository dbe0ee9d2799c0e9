// flags: --allow-net
// A close started by either side: both see the code and the reason.
import { assertEquals, once } from "../_assert.js";
import { serveSockets } from "../_server.js";

const cases = [
  [[], 1005, ""],
  [[1000], 1000, ""],
  [[1000, ""], 1000, ""],
  [[1000, "bye"], 1000, "bye"],
  [[3000, "grüße 💬"], 3000, "grüße 💬"],
  [[4999, "x".repeat(123)], 4999, "x".repeat(123)],
];
let arrived;
const server = serveSockets((socket) => arrived.resolve(socket));

for (const [args, code, reason] of cases) {
  for (const starter of ["client", "server"]) {
    arrived = Promise.withResolvers();
    const client = new WebSocket(server.url);
    const other = await arrived.promise;
    await Promise.all([
      client.readyState || once(client, "open"),
      other.readyState || once(other, "open"),
    ]);
    const closes = Promise.all([once(client, "close"), once(other, "close")]);
    (starter === "client" ? client : other).close(...args);
    for (const event of await closes) {
      assertEquals(
        [event.code, event.reason, event.wasClean],
        [code, reason, true],
        `${starter} ${args}`,
      );
    }
  }
}
await server.stop();
console.log("ok");
