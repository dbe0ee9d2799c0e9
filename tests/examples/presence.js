// Three tabs of two users.
import { assertEquals, once } from "../specs/_assert.js";

const [url] = Deno.args;
const page = await fetch(url);
assertEquals((await page.text()).includes("<title>Presence</title>"), true);
const nobody = await fetch(`${url}presence`);
assertEquals(nobody.status, 400);
await nobody.body.cancel();

async function enter(name) {
  const address = `${url.replace("http", "ws")}presence?name=${name}`;
  const socket = new WebSocket(address);
  const messages = new ReadableStream({
    start(controller) {
      socket.onmessage = ({ data }) => controller.enqueue(JSON.parse(data));
    },
  }).getReader();
  await once(socket, "open");
  const next = async () => {
    const { name, state } = (await messages.read()).value;
    return `${name} ${state}`;
  };
  return { socket, next };
}

const ada = await enter("Ada");
assertEquals(await ada.next(), "Ada here");
const bob = await enter("Bob");
assertEquals(await bob.next(), "Ada here");
assertEquals(await bob.next(), "Bob here");
assertEquals(await ada.next(), "Bob here");

bob.socket.send("away");
assertEquals(await ada.next(), "Bob away");

// The state of a user with two tabs is that of the busier one.
const tab = await enter("Bob");
assertEquals(await tab.next(), "Ada here");
assertEquals(await tab.next(), "Bob away");
assertEquals(await tab.next(), "Bob here");
assertEquals(await ada.next(), "Bob here");
tab.socket.send("typing");
assertEquals(await ada.next(), "Bob typing");
tab.socket.close();
assertEquals(await ada.next(), "Bob away");
// A tab that is lost leaves as one that is closed.
bob.socket.terminate();
assertEquals(await ada.next(), "Bob null");

ada.socket.send("nowhere");
assertEquals((await once(ada.socket, "close")).code, 4000);
console.log("ok");
Deno.exit();
