// flags: --allow-net
// deno: believes the size that a class of its own says
// A Blob is what it holds, whatever a script makes of its class.
import { assertEquals, once } from "../_assert.js";
import { serveSockets } from "../_server.js";

class Boaster extends Blob {
  get size() {
    return 1e9;
  }
  arrayBuffer() {
    return Promise.resolve(new ArrayBuffer(1));
  }
}

const accepted = Promise.withResolvers();
const server = serveSockets((socket) => accepted.resolve(socket));
const socket = new WebSocket(server.url);
const far = await accepted.promise;
await once(socket, "open");
socket.send(new Boaster(["four"]));
assertEquals(socket.bufferedAmount, 4);
assertEquals(
  new TextDecoder().decode((await once(far, "message")).data),
  "four",
);
Object.defineProperty(Blob.prototype, "size", { get: () => 1e9 });
Blob.prototype.arrayBuffer = () => Promise.reject(new Error("mine"));
socket.send(new Blob(["other"]));
assertEquals(socket.bufferedAmount, 5);
const { data } = await once(far, "message");
assertEquals(new TextDecoder().decode(data), "other");
socket.close();
await server.stop();
console.log("ok");
