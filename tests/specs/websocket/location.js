// flags: --allow-net --location http://127.0.0.1:1/dir/page
// A relative URL is resolved against --location.
import { assertEquals, once } from "../_assert.js";

const socket = new WebSocket("chat?room=1");
assertEquals(socket.url, "ws://127.0.0.1:1/dir/chat?room=1");
await once(socket, "close");
assertEquals(location.href, "http://127.0.0.1:1/dir/page");
console.log("ok");
