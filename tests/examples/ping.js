// A visitor of the ping example, without a browser.
import { assertEquals, once } from "../specs/_assert.js";

const page = await (await fetch(Deno.args[0])).text();
assertEquals(page.includes("<title>Ping</title>"), true);
const socket = new WebSocket(Deno.args[0].replace("http", "ws"));
await once(socket, "open");
for (let round = 0; round < 3; round++) {
  socket.send("ping");
  assertEquals((await once(socket, "message")).data, "pong");
}
socket.close();
await once(socket, "close");
console.log("ok");
