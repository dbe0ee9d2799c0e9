// flags: --allow-net
// Frames that come in one packet with the request are not lost.
import { assertEquals } from "../_assert.js";
import { concat, frame, Reader, TEXT, upgradeRequest, write } from "../_raw.js";
import { serveEcho } from "../_server.js";

const server = serveEcho();
const conn = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
const reader = new Reader(conn);
await write(
  conn,
  concat(
    new TextEncoder().encode(upgradeRequest()),
    frame(TEXT, "with the request", { mask: true }),
    frame(TEXT, "and one more", { mask: true }),
  ),
);
await reader.head();
for (const expected of ["with the request", "and one more"]) {
  const { payload } = await reader.frame();
  assertEquals(new TextDecoder().decode(payload), expected);
}
conn.close();
await server.stop();
console.log("ok");
