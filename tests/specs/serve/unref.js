// flags: --allow-net
// A server that is unref'd does not keep the script running.
const server = Deno.serve({ port: 0, onListen() {} }, () => new Response());
server.unref();
server.ref();
server.unref();
console.log("ok");
