// flags: --allow-net
// exit: 1
// stderr: error: Uncaught (in promise) AddrInUse: Address already in use (os error 98)[*]
// A port in use ends the script, unless it is caught.
import { assertThrows } from "../_assert.js";

const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
const { port } = listener.addr;
const options = { hostname: "127.0.0.1", port };
const handler = () => new Response();
const error = assertThrows(() => Deno.serve(options, handler), "AddrInUse");
if (!(error instanceof Deno.errors.AddrInUse)) throw new Error("its class");
assertThrows(() => Deno.listen(options), "AddrInUse");
Deno.serve(options, handler);
