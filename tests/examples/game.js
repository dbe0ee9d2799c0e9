// Two players: one steers, and both see the same world.
import { assert, assertEquals, once } from "../specs/_assert.js";

const [url] = Deno.args;
const page = await fetch(url);
assertEquals((await page.text()).includes("<title>Game</title>"), true);

async function enter() {
  const socket = new WebSocket(`${url.replace("http", "ws")}game`);
  socket.binaryType = "arraybuffer";
  const messages = new ReadableStream({
    start(controller) {
      socket.onmessage = ({ data }) => controller.enqueue(new DataView(data));
    },
  }).getReader();
  await once(socket, "open");
  const id = (await messages.read()).value.getUint8(0);
  /** Waits for a world that is as `wanted` says. */
  const seen = async (wanted) => {
    for (;;) {
      const view = (await messages.read()).value;
      const ships = new Map();
      for (let i = 0; i < view.getUint8(4); i++) {
        const at = 5 + i * 13;
        const [x, y, angle] = [1, 5, 9].map((n) => view.getFloat32(at + n));
        ships.set(view.getUint8(at), { x, y, angle });
      }
      assertEquals(view.byteLength, 5 + 13 * ships.size);
      if (wanted(ships)) return view.getUint32(0);
    }
  };
  return { socket, id, seen };
}

const ada = await enter();
const bob = await enter();
assertEquals([ada.id, bob.id], [0, 1]);
const turn = await ada.seen((ships) => ships.size === 2);
ada.socket.send(new Uint8Array([4]));
const later = await bob.seen((ships) => ships.get(0).x > 0.51);
assert(later > turn);
bob.socket.send(new Uint8Array([1]));
await ada.seen((ships) => ships.get(1).angle < -0.5);

// A text is no key, and two bytes are too many.
bob.socket.send("x");
assertEquals((await once(bob.socket, "close")).code, 4000);
await ada.seen((ships) => ships.size === 1);
const eve = await enter();
assertEquals(eve.id, 1);
eve.socket.send(new Uint8Array(2));
assertEquals((await once(eve.socket, "close")).code, 1009);
console.log("ok");
Deno.exit();
