// flags: --allow-net=192.0.2.1:53
// resolveDns asks the permission for the name server first.
import { assertRejects } from "../_assert.js";

await assertRejects(
  Deno.resolveDns("example.org", "A", {
    nameServer: { ipAddr: "127.0.0.1", port: 53 },
  }),
  "NotCapable",
  "127.0.0.1:53",
);
console.log("ok");
