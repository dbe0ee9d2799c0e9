// Votes, and looks for the votes in the numbers: argument 1 is the service, argument 2 the
// address of --metrics.
import { assertEquals, once } from "../specs/_assert.js";

const [url, metrics] = Deno.args;
const text = async (address) => {
  const response = await fetch(address);
  return [response.status, await response.text()];
};
assertEquals(await text(`${metrics}/ready`), [200, "ready\n"]);

const socket = new WebSocket(`${url.replace("http", "ws")}vote`);
await once(socket, "open");
for (
  const [vote, answer] of [
    ["tea", { tea: 1 }],
    ["beer", { error: "vote for tea, coffee, water" }],
    ["tea", { tea: 2 }],
  ]
) {
  socket.send(vote);
  assertEquals(JSON.parse((await once(socket, "message")).data), answer);
}
const [status, own] = await text(`${url}metrics/own`);
assertEquals(status, 200);
for (const line of ['votes_total{choice="tea"} 2', "votes_refused_total 1"]) {
  assertEquals(own.split("\n").includes(line), true, line);
}
const numbers = (await text(`${metrics}/metrics`))[1].split("\n");
for (
  const line of [
    'duplex_websocket_messages_received_total{type="text"} 3',
    'duplex_websocket_connections{role="server",http="1.1",tls="false"} 1',
  ]
) {
  assertEquals(numbers.includes(line), true, line);
}
socket.close();
await once(socket, "close");
console.log("ok");
