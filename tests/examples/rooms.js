// Two visitors of a room, and one of another room. "before" leaves messages, and "after",
// which runs on a server that was started again, finds them.
import { assertEquals, once } from "../specs/_assert.js";

const [url, when] = Deno.args;

async function enter(room, name, after = 0) {
  const address = `${url.replace("http", "ws")}rooms/${room}`;
  const socket = new WebSocket(`${address}?name=${name}&after=${after}`);
  const messages = new ReadableStream({
    start(controller) {
      socket.onmessage = ({ data }) => controller.enqueue(JSON.parse(data));
    },
  }).getReader();
  await once(socket, "open");
  const next = async () => {
    const { id, sender, text, at } = (await messages.read()).value;
    assertEquals(Math.abs(Date.now() - at) < 3_600_000, true);
    return { id, said: `${sender}: ${text}` };
  };
  return { socket, next };
}

if (when === "before") {
  const page = await fetch(url);
  assertEquals((await page.text()).includes("<title>Rooms</title>"), true);
  for (const [path, status] of [["rooms/a", 400], ["rooms/a b", 404]]) {
    const response = await fetch(url + path);
    assertEquals(response.status, status);
    await response.body?.cancel();
  }
  const ada = await enter("kitchen", "Ada");
  const bob = await enter("kitchen", "Bob");
  const eve = await enter("garden", "Eve");
  ada.socket.send("hello");
  assertEquals(await ada.next(), { id: 1, said: "Ada: hello" });
  assertEquals(await bob.next(), { id: 1, said: "Ada: hello" });
  eve.socket.send("alone");
  assertEquals(await eve.next(), { id: 2, said: "Eve: alone" });
  bob.socket.send("hi");
  assertEquals(await bob.next(), { id: 3, said: "Bob: hi" });
  assertEquals(await ada.next(), { id: 3, said: "Bob: hi" });
  bob.socket.send("x".repeat(2001));
  assertEquals((await once(bob.socket, "close")).code, 4000);
} else {
  const first = await enter("kitchen", "Cleo");
  assertEquals(await first.next(), { id: 1, said: "Ada: hello" });
  assertEquals(await first.next(), { id: 3, said: "Bob: hi" });
  const again = await enter("kitchen", "Ada", 1);
  assertEquals(await again.next(), { id: 3, said: "Bob: hi" });
  again.socket.send("back");
  assertEquals(await again.next(), { id: 4, said: "Ada: back" });
  assertEquals(await first.next(), { id: 4, said: "Ada: back" });
}
console.log("ok");
Deno.exit();
