// flags: --allow-net
// binaryType chooses what a binary message is when it is dispatched.
import { assert, assertEquals, once } from "../_assert.js";
import { serveEcho } from "../_server.js";

const server = serveEcho();
const socket = new WebSocket(server.url);
assertEquals(socket.binaryType, "blob");
socket.binaryType = "nonsense";
assertEquals(socket.binaryType, "blob");
await once(socket, "open");

const bytes = new Uint8Array([7, 8, 9]);
socket.send(bytes);
let { data } = await once(socket, "message");
assert(data instanceof Blob, "a Blob");
assertEquals(data.size, 3);
assertEquals(data.type, "");
assertEquals(await data.arrayBuffer(), bytes);

socket.binaryType = "arraybuffer";
assertEquals(socket.binaryType, "arraybuffer");
socket.send(bytes);
({ data } = await once(socket, "message"));
assert(data instanceof ArrayBuffer, "an ArrayBuffer");
assertEquals(data, bytes);

socket.binaryType = "blob";
socket.send(bytes);
({ data } = await once(socket, "message"));
assert(data instanceof Blob, "a Blob again");

socket.close();
await once(socket, "close");
await server.stop();
console.log("ok");
