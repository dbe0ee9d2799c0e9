// A chat with rooms, whose history survives a restart: each message goes to a database before
// it goes to the room.
//
//   duplex serve --allow-read --allow-write --port 8080 examples/rooms/server.ts [DATABASE]
//
// Then open http://localhost:8080/#kitchen in two tabs, and start the server again in between.

import { DatabaseSync } from "node:sqlite";

const PAGE = `${import.meta.dirname}/index.html`;
const MAX_TEXT = 2000;
const MAX_NAME = 40;
/** How many messages a visitor gets who comes for the first time. */
const FIRST = 50;
/** A visitor who was away for longer gets the newest ones. */
const MOST = 1000;

const database = new DatabaseSync(Deno.args[0] ?? "rooms.db");
database.exec(`
  PRAGMA journal_mode = WAL;
  CREATE TABLE IF NOT EXISTS messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    room TEXT NOT NULL,
    sender TEXT NOT NULL,
    text TEXT NOT NULL,
    at INTEGER NOT NULL
  );
  CREATE INDEX IF NOT EXISTS messages_of_room ON messages (room, id);
`);
const insert = database.prepare(
  "INSERT INTO messages (room, sender, text, at) VALUES (?, ?, ?, ?) RETURNING id, sender, text, at",
);
const select = database.prepare(
  "SELECT id, sender, text, at FROM messages WHERE room = ? AND id > ? ORDER BY id DESC LIMIT ?",
);

interface Visitor {
  room: string;
  name: string;
  /** The last message that the page has, 0 for none. */
  after: number;
  publish: (topic: string, text: string) => number;
}

export default {
  async fetch(request, server) {
    const { pathname, searchParams } = new URL(request.url);
    const [, place, room] = pathname.split("/");
    if (place === "rooms" && /^[\w-]{1,40}$/.test(room ?? "")) {
      const after = Number(searchParams.get("after") ?? 0);
      const data: Visitor = {
        room,
        name: (searchParams.get("name") || "somebody").slice(0, MAX_NAME),
        after: Number.isSafeInteger(after) ? after : 0,
        publish: (topic, text) => server.publish(topic, text),
      };
      // This also answers a request that is no handshake, with status 400.
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
    // No other site's page may speak for a visitor.
    allowedOrigins: ["same-origin"],
    open(ws) {
      const { room, after } = ws.data;
      // Nothing is published between these two lines, because nothing is awaited: so no
      // message is missing, and none comes twice.
      ws.subscribe(room);
      const missed = select.all(room, after, after > 0 ? MOST : FIRST);
      for (const message of missed.reverse()) ws.send(JSON.stringify(message));
    },
    message(ws, text) {
      if (typeof text !== "string" || text.length > MAX_TEXT) {
        ws.close(4000, "a message is text, and not a long one");
        return;
      }
      const { room, name, publish } = ws.data;
      const message = insert.get(room, name, text, Date.now());
      // To the sender too, who learns the message's number by it.
      publish(room, JSON.stringify(message));
    },
  },
} satisfies Deno.ServeDefaultExport<Visitor>;
