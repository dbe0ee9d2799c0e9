// flags: --allow-net --allow-read --allow-write
// A file as the body of a response is closed when it was sent, and when the
// client leaves before.
import { assertEquals } from "../_assert.js";

const path = await Deno.makeTempFile();
const content = new Uint8Array(32 << 20).map((_, index) => index % 251);
await Deno.writeFile(path, content);

const files = [];
const server = Deno.serve({ port: 0, onListen() {} }, async () => {
  const file = await Deno.open(path);
  files.push(file);
  return new Response(file.readable);
});
const url = `http://127.0.0.1:${server.addr.port}/`;

async function closed(file) {
  for (;;) {
    try {
      await file.stat();
    } catch (error) {
      return error.name;
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

const received = await (await fetch(url)).bytes();
assertEquals(received.length, content.length);
assertEquals(received.every((byte, index) => byte === content[index]), true);
assertEquals(await closed(files[0]), "BadResource");

const reader = (await fetch(url)).body.getReader();
await reader.read();
await reader.cancel();
assertEquals(await closed(files[1]), "BadResource");

await server.shutdown();
await Deno.remove(path);
console.log("ok");
