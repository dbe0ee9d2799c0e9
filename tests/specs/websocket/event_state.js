// flags: --allow-net
// deno: its events are not trusted
// All that can be read of a message's event, while it is dispatched and afterwards: the same as
// of an event that was dispatched in the long way, however many listeners there are.
import { assert, assertEquals, once } from "../_assert.js";
import { serveSockets } from "../_server.js";

/** What each member of `event` says, `target` by that name. */
function stateOf(event, target) {
  const state = {};
  const read = (value) => {
    if (value === target) return "the target";
    if (Array.isArray(value)) return value.map(read);
    return typeof value === "function" ? "a function" : value;
  };
  for (
    let object = event;
    object !== Object.prototype;
    object = Object.getPrototypeOf(object)
  ) {
    for (const name of Object.getOwnPropertyNames(object)) {
      if (name === "isTrusted" || name === "constructor") continue;
      state[name] ??= read(event[name]);
    }
  }
  assert(Object.keys(state).length > 15, "there are members");
  state.composedPath = read(event.composedPath());
  return state;
}

/** The states of the event that a listener sees, and of the same event when it is over. */
class Watcher {
  constructor(target) {
    this.during = undefined;
    this.event = undefined;
    this.listener = (event) => {
      this.during = stateOf(event, target);
      this.event = event;
    };
    this.target = target;
  }

  states() {
    return [this.during, stateOf(this.event, this.target)];
  }
}

function expected(stop, origin) {
  const target = new EventTarget();
  const watcher = new Watcher(target);
  target.addEventListener("message", (event) => {
    if (stop) event.stopPropagation();
    watcher.listener(event);
  });
  target.dispatchEvent(new MessageEvent("message", { data: "text", origin }));
  return watcher.states();
}

const server = serveSockets((socket) => {
  socket.onmessage = () => socket.send("text");
});
const origin = server.url.replace(/\/$/, "");
const socket = new WebSocket(server.url);
await once(socket, "open");

async function received(listen) {
  const watcher = new Watcher(socket);
  const { promise, resolve } = Promise.withResolvers();
  const forget = listen((event) => {
    watcher.listener(event);
    assertEquals(event.isTrusted, true);
    // When the dispatch is over.
    setTimeout(resolve);
  });
  socket.send("go");
  await promise;
  forget();
  return watcher.states();
}

function handler(listener) {
  socket.onmessage = listener;
  return () => socket.onmessage = null;
}

function listeners(count, options) {
  return (listener) => {
    const all = Array.from({ length: count - 1 }, () => () => {});
    all.push(listener);
    for (const each of all) socket.addEventListener("message", each, options);
    return () => {
      for (const each of all) socket.removeEventListener("message", each);
    };
  };
}

// A handler alone, before there is any list of listeners.
const alone = new WebSocket(server.url);
const watcher = new Watcher(alone);
alone.onopen = () => alone.send("go");
await new Promise((resolve) => {
  alone.onmessage = (event) => {
    watcher.listener(event);
    setTimeout(resolve);
  };
});
assertEquals(watcher.states(), expected(false, origin));
alone.onclose = () => {};
alone.close();

for (
  const listen of [
    handler,
    listeners(1),
    listeners(2),
    listeners(1, { once: true }),
    listeners(1, { passive: true }),
  ]
) {
  assertEquals(await received(listen), expected(false, origin));
}

// What stops the event in one listener.
const stopping = await received((listener) =>
  handler((event) => {
    event.stopPropagation();
    listener(event);
  })
);
assertEquals(stopping, expected(true, origin));

socket.close();
await once(socket, "close");
await server.stop();
console.log("ok");
