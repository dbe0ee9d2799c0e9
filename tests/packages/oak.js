// server: @oakserver/oak
// node: the build for npm cannot upgrade
// deno: the build for npm cannot upgrade, the one for JSR can
// duplex: as on Deno
import { Application, Router } from "@oakserver/oak";
import { echo, equal, exercise, freePort, inbox } from "./_kit.js";

const router = new Router();
router.get("/user/:name", (context) => {
  context.response.body = { name: context.params.name };
});
router.get("/ws", (context) => {
  const socket = context.upgrade();
  socket.binaryType = "arraybuffer";
  echo(socket);
});
const app = new Application();
app.use(router.routes());
const listening = inbox();
app.addEventListener("listen", listening.push);
const port = await freePort();
const controller = new AbortController();
const served = app.listen({
  hostname: "127.0.0.1",
  port,
  signal: controller.signal,
});
await listening.next();
// It says so before it does.
let page;
while (!page) {
  page = await fetch(`http://127.0.0.1:${port}/user/x`).catch(() => null);
}
equal(await page.json(), { name: "x" });
await exercise(new WebSocket(`ws://127.0.0.1:${port}/ws`));
controller.abort();
await served;
console.log("ok");
