// flags: --allow-net
// deno: needs the network there
// deno-lint-ignore-file no-import-prefix
// The form that serve() of std/http had later.
import { serve } from "https://deno.land/std@0.140.0/http/server.ts";
import { assertEquals } from "../_assert.js";

const stop = new AbortController();
const listening = Promise.withResolvers<{ port: number }>();
const finished = serve(
  (request: Request) => new Response(new URL(request.url).pathname),
  {
    hostname: "127.0.0.1",
    port: 0,
    signal: stop.signal,
    onListen: listening.resolve,
  },
);
const { port } = await listening.promise;
const response = await fetch(`http://127.0.0.1:${port}/path`);
assertEquals(await response.text(), "/path");
stop.abort();
await finished;
console.log("ok");
