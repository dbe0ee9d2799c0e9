// flags: --allow-net
// A socket that has handlers and no listeners yet: what is dispatched to it, and where its
// handlers stand among the listeners that are added later.
import { assertEquals, once } from "../_assert.js";
import { serveSockets } from "../_server.js";

const server = serveSockets((socket) => {
  socket.onopen = () => socket.send("one");
  socket.onmessage = ({ data }) => {
    if (data === "close") socket.close();
    else socket.send(data);
  };
});
const log = [];

function note(socket, name) {
  return function (event) {
    assertEquals(this, socket);
    assertEquals(event.currentTarget, socket);
    log.push(`${name} ${event.type} ${event.data ?? ""}`.trim());
  };
}

function take() {
  return log.splice(0);
}

const socket = new WebSocket(server.url);
const ended = Promise.withResolvers();
const message = Promise.withResolvers();
socket.removeEventListener("message", () => {});
socket.onopen = note(socket, "first");
socket.onopen = null;
assertEquals(socket.onopen, null);
socket.dispatchEvent(new Event("open"));
assertEquals(take(), []);
socket.onopen = note(socket, "handler");
socket.onmessage = (event) => {
  note(socket, "handler").call(socket, event);
  message.resolve();
};
socket.onclose = () => ended.resolve();
await message.promise;
assertEquals(take(), ["handler open", "handler message one"]);

// What a script dispatches finds them as well.
socket.dispatchEvent(new MessageEvent("message", { data: "made up" }));
socket.dispatchEvent(new Event("other"));
assertEquals(take(), ["handler message made up"]);

// They come before what is added later, until they are taken away.
socket.addEventListener("message", note(socket, "listener"));
socket.dispatchEvent(new MessageEvent("message", { data: "two" }));
assertEquals(take(), ["handler message two", "listener message two"]);
socket.onmessage = null;
socket.dispatchEvent(new MessageEvent("message", { data: "three" }));
assertEquals(take(), ["listener message three"]);
socket.onmessage = note(socket, "handler");
socket.send("four");
await once(socket, "message");
assertEquals(take(), ["listener message four", "handler message four"]);

socket.send("close");
await ended.promise;

// A handler that is no function is none, and listeners alone are called.
const other = new WebSocket(server.url);
other.onmessage = { handleEvent: () => log.push("called") };
other.onopen = () => other.dispatchEvent(new MessageEvent("message"));
await once(other, "message");
assertEquals(take(), []);
other.close();
await once(other, "close");
await server.stop();
console.log("ok");
