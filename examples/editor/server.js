// A text that several people edit at once, with Yjs. Pages and other programs take part by the
// package y-websocket. Each document is a file, so it survives a restart.
//
//   cd examples/editor
//   npm install
//   duplex serve --allow-env --allow-read --allow-write=documents --port 8080 server.js [FOLDER]
//
// Then open http://localhost:8080/#notes in two tabs. npm could be `duplex install` as well.

import * as decoding from "lib0/decoding";
import * as encoding from "lib0/encoding";
import * as awareness from "y-protocols/awareness";
import * as sync from "y-protocols/sync";
import * as Y from "yjs";

const HERE = import.meta.dirname;
const FOLDER = Deno.args[0] ?? "documents";
/** The packages that a page loads, from the folder node_modules. */
const MODULES = /^\/modules(\/(?:yjs|lib0|y-protocols|y-websocket)\/[\w./-]+)$/;
const SAVE_MS = 1000;

/** The kinds of messages of y-websocket. */
const SYNC = 0;
const AWARENESS = 1;

Deno.mkdirSync(FOLDER, { recursive: true });

/** A document, and who edits it. */
class Room {
  static #rooms = new Map();

  /** The room of this name. It is made for the first visitor. */
  static enter(name, server) {
    let room = Room.#rooms.get(name);
    if (room === undefined) {
      room = new Room(name, server);
      Room.#rooms.set(name, room);
    }
    room.#visitors++;
    return room;
  }

  #server;
  #name;
  #path;
  #visitors = 0;
  #timer;
  doc = new Y.Doc();
  awareness = new awareness.Awareness(this.doc);

  constructor(name, server) {
    this.#name = name;
    this.#server = server;
    this.#path = `${FOLDER}/${name}.yjs`;
    try {
      Y.applyUpdate(this.doc, Deno.readFileSync(this.#path));
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
    // This process edits nothing itself.
    this.awareness.setLocalState(null);
    this.doc.on("update", (update, origin) => {
      this.#send(
        message(SYNC, (encoder) => sync.writeUpdate(encoder, update)),
        origin,
      );
      // At most one write in a second, however many keys are pressed.
      this.#timer ??= setTimeout(() => this.#save(), SAVE_MS);
    });
    this.awareness.on("update", ({ added, updated, removed }, origin) => {
      // Whoever tells of a state takes it along in the end. A state that nobody renews goes
      // by itself, and then the origin is no socket.
      const states = origin?.data?.states;
      for (const id of added) states?.add(id);
      for (const id of removed) states?.delete(id);
      this.#send(this.states([...added, ...updated, ...removed]), origin);
    });
  }

  /** The message that tells of the states of these clients. */
  states(ids) {
    const update = awareness.encodeAwarenessUpdate(this.awareness, ids);
    return message(
      AWARENESS,
      (encoder) => encoding.writeVarUint8Array(encoder, update),
    );
  }

  /** Sends to all visitors but the one that the message is from. */
  #send(bytes, from) {
    if (from?.readyState === WebSocket.OPEN) from.publish(this.#name, bytes);
    else this.#server.publish(this.#name, bytes);
  }

  #save() {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    // A rename, so that the file is whole if the program ends meanwhile.
    Deno.writeFileSync(`${this.#path}.new`, Y.encodeStateAsUpdate(this.doc));
    Deno.renameSync(`${this.#path}.new`, this.#path);
  }

  leave(ws) {
    awareness.removeAwarenessStates(this.awareness, [...ws.data.states], null);
    if (--this.#visitors > 0) return;
    if (this.#timer !== undefined) this.#save();
    Room.#rooms.delete(this.#name);
    this.doc.destroy();
  }
}

function message(kind, write) {
  const encoder = encoding.createEncoder();
  encoding.writeVarUint(encoder, kind);
  write(encoder);
  return encoding.toUint8Array(encoder);
}

async function file(path, type) {
  try {
    const file = await Deno.open(path);
    return new Response(file.readable, { headers: { "content-type": type } });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    return new Response("Not found\n", { status: 404 });
  }
}

export default {
  fetch(request, server) {
    const { pathname } = new URL(request.url);
    const name = /^\/documents\/([\w-]{1,40})$/.exec(pathname)?.[1];
    if (name !== undefined) {
      server.upgrade(request, {
        data: { name, server, room: null, states: new Set() },
      });
      return;
    }
    if (pathname === "/") {
      return file(`${HERE}/index.html`, "text/html; charset=utf-8");
    }
    // A URL has no `..` in its path, so this is below the folder.
    const module = MODULES.exec(pathname)?.[1];
    if (module !== undefined) {
      const extension = /\.m?js$/.test(module) ? "" : ".js";
      return file(
        `${HERE}/node_modules${module}${extension}`,
        "text/javascript",
      );
    }
    return new Response("Not found\n", { status: 404 });
  },

  websocket: {
    // No other site's page may edit.
    allowedOrigins: ["same-origin"],
    maxPayloadLength: 1024 * 1024,
    open(ws) {
      const { name, server } = ws.data;
      const room = Room.enter(name, server);
      ws.data.room = room;
      ws.subscribe(name);
      // Asks for what the visitor has and the room has not.
      ws.send(
        message(SYNC, (encoder) => sync.writeSyncStep1(encoder, room.doc)),
      );
      const ids = [...room.awareness.getStates().keys()];
      if (ids.length > 0) ws.send(room.states(ids));
    },
    message(ws, data) {
      const { room } = ws.data;
      try {
        const decoder = decoding.createDecoder(new Uint8Array(data));
        switch (decoding.readVarUint(decoder)) {
          case SYNC: {
            const answer = message(
              SYNC,
              (encoder) => sync.readSyncMessage(decoder, encoder, room.doc, ws),
            );
            // The kind alone is no answer.
            if (answer.length > 1) ws.send(answer);
            break;
          }
          case AWARENESS:
            awareness.applyAwarenessUpdate(
              room.awareness,
              decoding.readVarUint8Array(decoder),
              ws,
            );
            break;
        }
      } catch (error) {
        console.log(`a message is malformed: ${error.message}`);
        ws.close(4000, "the message is malformed");
      }
    },
    close(ws) {
      ws.data.room?.leave(ws);
    },
  },
};
