// Presence: each page shows who is there, and who is typing.
//
//   duplex serve --allow-read --port 8080 examples/presence/server.ts
//
// Then open http://localhost:8080/?name=Ada and http://localhost:8080/?name=Bob. A user with
// several tabs is there once, and leaves with the last of them. A user whose network is gone
// leaves when a ping has no answer: idleTimeout says how long that takes.

const PAGE = `${import.meta.dirname}/index.html`;
const TOPIC = "presence";

/** What a page may say of its user. */
const STATES = ["here", "typing", "away"] as const;
type State = typeof STATES[number];

interface Visitor {
  name: string;
  state: State;
  publish: (topic: string, text: string) => number;
}

type Socket = Deno.HandlerWebSocket<Visitor>;

/** The sockets of each user. */
const users = new Map<string, Set<Socket>>();

/** The state of a user with several tabs is that of the busiest one. */
function stateOf(sockets: Iterable<Socket>): State {
  const states = Array.from(sockets, (socket) => socket.data.state);
  return ["typing", "here"].find((state): state is State =>
    states.includes(state as State)
  ) ?? "away";
}

/** Tells all pages of a user. Without a state the user has left. */
function tell(ws: Socket, state: State | null) {
  const { name, publish } = ws.data;
  publish(TOPIC, JSON.stringify({ name, state }));
}

export default {
  async fetch(request, server) {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname === "/presence") {
      // A real service knows the user by a session: see "Authentication" in the manual.
      const name = searchParams.get("name")?.slice(0, 40);
      if (!name) return new Response("Who are you?\n", { status: 400 });
      const data: Visitor = {
        name,
        state: "here",
        publish: (topic, text) => server.publish(topic, text),
      };
      server.upgrade(request, { data });
      return;
    }
    if (pathname === "/") {
      const page = await Deno.open(PAGE);
      return new Response(page.readable, {
        headers: { "content-type": "text/html; charset=utf-8" },
      });
    }
    return new Response("Not found\n", { status: 404 });
  },

  websocket: {
    allowedOrigins: ["same-origin"],
    // A client that says nothing is pinged after 5 seconds, and dropped after 10.
    idleTimeout: 10,
    open(ws) {
      const { name } = ws.data;
      // First the whole list, then what changes.
      for (const [other, sockets] of users) {
        ws.send(JSON.stringify({ name: other, state: stateOf(sockets) }));
      }
      ws.subscribe(TOPIC);
      const sockets = users.get(name) ?? new Set();
      users.set(name, sockets.add(ws));
      tell(ws, stateOf(sockets));
    },
    message(ws, text) {
      const state = STATES.find((state) => state === text);
      const sockets = users.get(ws.data.name);
      if (state === undefined || sockets === undefined) {
        ws.close(4000, "there is no such state");
        return;
      }
      const before = stateOf(sockets);
      ws.data.state = state;
      const after = stateOf(sockets);
      if (after !== before) tell(ws, after);
    },
    close(ws) {
      const sockets = users.get(ws.data.name);
      if (sockets === undefined) return;
      const before = stateOf(sockets);
      sockets.delete(ws);
      if (sockets.size === 0) {
        users.delete(ws.data.name);
        tell(ws, null);
        return;
      }
      const after = stateOf(sockets);
      if (after !== before) tell(ws, after);
    },
  },
} satisfies Deno.ServeDefaultExport<Visitor>;
