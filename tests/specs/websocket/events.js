// flags: --allow-net
// deno: its events are not trusted
// The events of a whole connection: their order, classes and fields.
import { assert, assertEquals, once } from "../_assert.js";
import { serveSockets } from "../_server.js";

const log = [];
const server = serveSockets((socket) => {
  socket.onopen = (event) => {
    assertEquals(event.constructor, Event);
    log.push("server open");
    socket.send("hello");
  };
  socket.onmessage = (event) => {
    log.push(`server ${event.data}`);
    socket.close(4001, "done");
  };
  socket.onclose = (event) => {
    log.push(`server close ${event.code} ${event.reason} ${event.wasClean}`);
  };
});

const socket = new WebSocket(server.url);
const origin = server.url.replace(/\/$/, "");
for (const type of ["open", "message", "error", "close"]) {
  socket.addEventListener(type, (event) => {
    assertEquals(event.type, type);
    assertEquals(event.target, socket);
    assertEquals(event.currentTarget, socket);
    assert(event.isTrusted, `${type} is trusted`);
    assertEquals(event.bubbles, false);
    assertEquals(event.cancelable, false);
  });
}
socket.onopen = (event) => {
  assertEquals(event.constructor, Event);
  assertEquals(socket.readyState, WebSocket.OPEN);
  log.push("client open");
};
socket.onmessage = (event) => {
  assertEquals(event.constructor, MessageEvent);
  assertEquals(event.origin, origin);
  assertEquals(event.lastEventId, "");
  assertEquals(event.source, null);
  assertEquals(event.ports.length, 0);
  log.push(`client ${event.data}`);
  socket.send("hi");
};
socket.onerror = () => log.push("client error");
const close = await once(socket, "close");
assertEquals(close.constructor, CloseEvent);
assertEquals(socket.readyState, WebSocket.CLOSED);
assertEquals([close.code, close.reason, close.wasClean], [4001, "done", true]);
await server.stop();

const ofClient = log.filter((line) => line.startsWith("client"));
const ofServer = log.filter((line) => line.startsWith("server"));
assertEquals(ofClient, ["client open", "client hello"]);
assertEquals(ofServer.slice(0, 2), ["server open", "server hi"]);
console.log("ok");
