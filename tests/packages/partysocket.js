// client: partysocket
import { WebSocket as Reconnecting } from "partysocket";
import { echo, equal, event, exercise, inbox, serve, text } from "./_kit.js";

const opened = inbox();
const server = await serve((socket, url) => {
  opened.push(url.pathname);
  if (url.pathname === "/1") socket.close(4000);
  else echo(socket);
});
let attempt = 0;
const socket = new Reconnecting(
  () => `ws://127.0.0.1:${server.port}/${++attempt}`,
  [],
  { minReconnectionDelay: 1, maxReconnectionDelay: 10 },
);
equal(await opened.next(), "/1");
equal((await event(socket, "close")).code, 4000);
// What is sent before it is open waits.
const answer = event(socket, "message");
socket.send(text);
equal((await answer).data, text);
equal(await opened.next(), "/2");
await exercise(socket);
equal(await opened.next(), "/3");
socket.close();
await server.close();
console.log("ok");
