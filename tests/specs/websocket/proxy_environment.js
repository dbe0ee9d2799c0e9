// flags: --allow-net --allow-env
// env: NO_PROXY=example.com
// deno: takes what a script sets
// A script does not choose the proxy by the environment, which would take it past
// its permissions.
import { once } from "../_assert.js";
import { serveSockets } from "../_server.js";

for (const name of ["ALL_PROXY", "HTTP_PROXY", "http_proxy"]) {
  Deno.env.set(name, "http://127.0.0.1:1");
}
const server = serveSockets(() => {});
const socket = new WebSocket(server.url);
await once(socket, "open");
socket.close();
await once(socket, "close");
await server.stop();
console.log("ok");
