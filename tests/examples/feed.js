// Two pages of the feed, without a browser: one loses its connection and misses nothing.
import { assertEquals, once } from "../specs/_assert.js";

const page = await fetch(Deno.args[0]);
assertEquals(page.headers.get("content-type"), "text/html; charset=utf-8");
assertEquals((await page.text()).includes("<title>Feed</title>"), true);

async function open(position) {
  const query = position === undefined ? "" : `?since=${position}`;
  const url = `${Deno.args[0].replace("http", "ws")}feed${query}`;
  const socket = new WebSocket(url);
  const messages = new ReadableStream({
    start(controller) {
      socket.onmessage = ({ data }) => controller.enqueue(data.split("\n"));
    },
  }).getReader();
  await once(socket, "open");
  const next = async () => {
    const [position, json] = (await messages.read()).value;
    return { position, ...JSON.parse(json) };
  };
  return { socket, next };
}

const ada = await open();
assertEquals((await ada.next()).notice, "welcome");
const bob = await open();
assertEquals((await bob.next()).notice, "welcome");
bob.socket.send("first");
assertEquals((await bob.next()).text, "first");
const { position, text } = await ada.next();
assertEquals(text, "first");
ada.socket.close();
await once(ada.socket, "close");

for (const text of ["second", "third"]) {
  bob.socket.send(text);
  assertEquals((await bob.next()).text, text);
}
const again = await open(position);
assertEquals((await again.next()).text, "second");
assertEquals((await again.next()).text, "third");
bob.socket.send("fourth");
assertEquals((await again.next()).text, "fourth");

const other = await open("0000000000000000-7");
assertEquals((await other.next()).notice, "what was posted before is gone");
console.log("ok");
Deno.exit();
