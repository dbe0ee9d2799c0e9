// A game loop: the server moves all ships 20 times a second, and sends the world as one binary
// frame to all players. Players send one byte: which keys are down.
//
//   duplex serve --allow-read --port 8080 examples/game/server.ts
//
// Then open http://localhost:8080/ in two windows, and steer with the arrow keys.
//
// The world, in big-endian order as DataView has it by default:
//
//   u32  the number of the turn
//   u8   how many ships; then for each
//   u8     its number
//   f32    x, from 0 to 1
//   f32    y, from 0 to 1
//   f32    the angle, in radians
//
// The first message to a player is one byte, the number of the player's ship.

const PAGE = `${import.meta.dirname}/index.html`;
const TOPIC = "world";
const TURN_MS = 50;
const MAX_SHIPS = 255;
const HEAD_BYTES = 5;
const SHIP_BYTES = 13;

const Key = { Left: 1, Right: 2, Thrust: 4 } as const;
const ALL_KEYS = Key.Left | Key.Right | Key.Thrust;

interface Ship {
  id: number;
  x: number;
  y: number;
  angle: number;
  vx: number;
  vy: number;
  keys: number;
}

interface Player {
  ship: Ship | null;
  publish: (topic: string, bytes: Uint8Array) => number;
}

const ships = new Map<number, Ship>();
let turn = 0;
let timer: ReturnType<typeof setInterval> | undefined;

function newShip(): Ship | null {
  for (let id = 0; id < MAX_SHIPS; id++) {
    if (ships.has(id)) continue;
    const ship = { id, x: 0.5, y: 0.5, angle: 0, vx: 0, vy: 0, keys: 0 };
    ships.set(id, ship);
    return ship;
  }
  return null;
}

function move(ship: Ship) {
  if (ship.keys & Key.Left) ship.angle -= 0.2;
  if (ship.keys & Key.Right) ship.angle += 0.2;
  if (ship.keys & Key.Thrust) {
    ship.vx += Math.cos(ship.angle) * 0.002;
    ship.vy += Math.sin(ship.angle) * 0.002;
  }
  ship.vx *= 0.98;
  ship.vy *= 0.98;
  // The world is a ring in both directions.
  ship.x = (ship.x + ship.vx + 1) % 1;
  ship.y = (ship.y + ship.vy + 1) % 1;
}

/** The world as it is sent. `buffer` is used again in each turn. */
const buffer = new ArrayBuffer(HEAD_BYTES + MAX_SHIPS * SHIP_BYTES);

function world(): Uint8Array {
  const view = new DataView(buffer);
  view.setUint32(0, turn);
  view.setUint8(4, ships.size);
  let at = HEAD_BYTES;
  for (const { id, x, y, angle } of ships.values()) {
    view.setUint8(at, id);
    view.setFloat32(at + 1, x);
    view.setFloat32(at + 5, y);
    view.setFloat32(at + 9, angle);
    at += SHIP_BYTES;
  }
  return new Uint8Array(buffer, 0, at);
}

/** The clock runs while somebody plays. */
function start(publish: Player["publish"]) {
  timer ??= setInterval(() => {
    turn = (turn + 1) >>> 0;
    for (const ship of ships.values()) move(ship);
    // One frame, which is made once for all players. duplex has copied it when this returns.
    publish(TOPIC, world());
  }, TURN_MS);
}

export default {
  async fetch(request, server) {
    const { pathname } = new URL(request.url);
    if (pathname === "/game") {
      const publish = (topic: string, bytes: Uint8Array) =>
        server.publish(topic, bytes);
      server.upgrade(request, { data: { ship: null, publish } });
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
    // A player sends a byte. A longer message is an attack.
    maxPayloadLength: 1,
    // A player whose network takes less than the world is 64 KiB behind at most: then turns
    // are left out for this player, and nobody else notices.
    backpressureLimit: 64 * 1024,
    open(ws) {
      const ship = newShip();
      if (ship === null) {
        ws.close(4001, "the world is full");
        return;
      }
      ws.data.ship = ship;
      ws.send(new Uint8Array([ship.id]));
      ws.subscribe(TOPIC);
      start(ws.data.publish);
    },
    message(ws, keys) {
      if (typeof keys === "string" || keys.byteLength !== 1) {
        ws.close(4000, "a message is one byte");
        return;
      }
      if (ws.data.ship !== null) {
        ws.data.ship.keys = new Uint8Array(keys)[0] & ALL_KEYS;
      }
    },
    close(ws) {
      if (ws.data.ship !== null) ships.delete(ws.data.ship.id);
      if (ships.size === 0) {
        clearInterval(timer);
        timer = undefined;
      }
    },
  },
} satisfies Deno.ServeDefaultExport<Player>;
