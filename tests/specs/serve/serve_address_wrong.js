// flags: --allow-net=127.0.0.1
// env: DENO_SERVE_ADDRESS=localhost:8000
// stdout: ok
// stderr: error: DENO_SERVE_ADDRESS: there is no kind of address that duplex knows in "localhost:8000". Use tcp:ADDRESS:PORT, with [] around an IPv6 address, or unix:PATH
// deno: its message is another
const server = Deno.serve(
  { hostname: "127.0.0.1", port: 0, onListen() {} },
  () => new Response(),
);
await server.shutdown();
console.log("ok");
