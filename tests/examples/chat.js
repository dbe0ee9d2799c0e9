// Two visitors of the chat, without a browser.
import { assertEquals, once } from "../specs/_assert.js";

const page = await fetch(Deno.args[0]);
assertEquals(page.headers.get("content-type"), "text/html; charset=utf-8");
assertEquals((await page.text()).includes("<title>Chat</title>"), true);
for (const [path, status] of [["chat", 426], ["nothing", 404]]) {
  const response = await fetch(Deno.args[0] + path);
  assertEquals(response.status, status);
  await response.body.cancel();
}

async function enter(name) {
  const url = Deno.args[0].replace("http", "ws");
  const socket = new WebSocket(`${url}chat?name=${name}`);
  const messages = new ReadableStream({
    start(controller) {
      socket.onmessage = ({ data }) => controller.enqueue(JSON.parse(data));
    },
  }).getReader();
  await once(socket, "open");
  return { socket, next: async () => (await messages.read()).value };
}

const ada = await enter("Ada");
assertEquals(await ada.next(), { from: "", text: "Ada came in" });
const bob = await enter("Bob");
assertEquals(await ada.next(), { from: "", text: "Bob came in" });
assertEquals(await bob.next(), { from: "", text: "Bob came in" });
bob.socket.send("hello");
assertEquals(await ada.next(), { from: "Bob", text: "hello" });
assertEquals(await bob.next(), { from: "Bob", text: "hello" });
bob.socket.send("x".repeat(2001));
assertEquals((await once(bob.socket, "close")).code, 4000);
assertEquals(await ada.next(), { from: "", text: "Bob left" });
ada.socket.close();
await once(ada.socket, "close");
console.log("ok");
