// flags: --allow-net --allow-write
// stderr: Listening on http://127.0.0.1:[*]/
// stderr: Listening on http://0.0.0.0:[*]/ (http://localhost:[*]/)
// Without onListen, the address is printed.
const handler = () => new Response();
await Deno.serve({ hostname: "127.0.0.1", port: 0 }, handler).shutdown();
await Deno.serve({ port: 0 }, handler).shutdown();
console.log("ok");
