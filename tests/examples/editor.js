// Two editors of one document, by the package y-websocket. "before" leaves a text, and
// "after", which runs on a server that was started again, finds it.
import { WebsocketProvider } from "y-websocket";
import * as Y from "yjs";
import { assertEquals, once } from "./_assert.js";

const [url, when] = Deno.args;

function edit(name) {
  const doc = new Y.Doc();
  const address = `${url.replace("http", "ws")}documents`;
  const provider = new WebsocketProvider(address, name, doc, {
    disableBc: true,
  });
  const text = doc.getText("text");
  const seen = async (wanted) => {
    while (text.toString() !== wanted) {
      await new Promise((resolve) => doc.once("update", resolve));
    }
  };
  return { doc, provider, text, seen };
}

if (when === "before") {
  await everyModuleIsServed();
  const one = edit("notes");
  const other = edit("notes");
  one.text.insert(0, "hello");
  await other.seen("hello");
  other.text.insert(5, " world");
  await one.seen("hello world");

  const states = other.provider.awareness;
  const user = () =>
    [...states.getStates().values()].find(({ user }) => user === "Ada");
  const changed = () =>
    new Promise((resolve) => states.once("change", resolve));
  one.provider.awareness.setLocalStateField("user", "Ada");
  while (user() === undefined) await changed();
  // Who leaves is gone, also without a word.
  one.provider.ws.terminate();
  one.provider.disconnect();
  while (user() !== undefined) await changed();

  const socket = new WebSocket(`${url.replace("http", "ws")}documents/notes`);
  await once(socket, "open");
  socket.send(new Uint8Array([0, 255]));
  assertEquals((await once(socket, "close")).code, 4000);
} else {
  const one = edit("notes");
  await one.seen("hello world");
  const another = edit("other");
  another.text.insert(0, "x");
  await edit("other").seen("x");
}
console.log("ok");
Deno.exit();

/** Loads the page's modules as a browser would: by its import map, and all of their imports. */
async function everyModuleIsServed() {
  const page = await (await fetch(url)).text();
  const map = JSON.parse(
    /<script type="importmap">([^]*?)<\/script>/.exec(page)[1],
  );
  const found = new Set();
  const waiting = ["y-websocket", "yjs"].map((name) => resolve(name, url));
  for (const address of waiting) {
    if (found.has(address)) continue;
    found.add(address);
    const response = await fetch(address);
    const type = response.headers.get("content-type");
    assertEquals([response.status, type], [200, "text/javascript"], address);
    const text = await response.text();
    for (
      const [, name] of text.matchAll(
        /^(?:import|export)\b[^'"()=]*\bfrom ['"]([^'"]+)['"]/gm,
      )
    ) {
      waiting.push(resolve(name, address));
    }
  }
  if (found.size < 10) throw new Error(`only ${found.size} modules were found`);
  const outside = await fetch(`${url}modules/ws/index.js`);
  assertEquals(outside.status, 404);

  function resolve(name, base) {
    if (/^\.{0,2}\//.test(name)) return new URL(name, base).href;
    for (const [prefix, target] of Object.entries(map.imports)) {
      if (name === prefix) return new URL(target, url).href;
      if (prefix.endsWith("/") && name.startsWith(prefix)) {
        return new URL(target + name.slice(prefix.length), url).href;
      }
    }
    throw new Error(`the import map does not have ${name}`);
  }
}
