// flags: --allow-net
// shutdown() lets the requests in flight end and takes no new ones.
import { assertEquals } from "../_assert.js";

const started = Promise.withResolvers();
const release = Promise.withResolvers();
const server = Deno.serve(
  { hostname: "127.0.0.1", port: 0, onListen() {} },
  async () => {
    started.resolve();
    await release.promise;
    return new Response("finished");
  },
);
const { port } = server.addr;
const response = fetch(`http://127.0.0.1:${port}/`);
await started.promise;
const log = [];
const down = server.shutdown().then(() => log.push("down"));
assertEquals(log, []);
release.resolve();
assertEquals(await (await response).text(), "finished");
await down;
await server.finished;
Deno.listen({ hostname: "127.0.0.1", port }).close();
console.log("ok");
