// What a service does before it is up.
const server = Deno.serve(
  { hostname: "127.0.0.1", port: 0, onListen() {} },
  (request: Request): Response => Deno.upgradeWebSocket(request).response,
);
console.log(`listening on ${server.addr.port}`);
Deno.exit(0);
