// The interop cases and messages beyond every window, to the URL of the first
// argument with a `createHttpClient()` of the second, which is JSON.

import { run } from "../interop/client.js";

const [url, json] = Deno.args;
const client = Deno.createHttpClient(JSON.parse(json));
await run((protocols) => new WebSocket(url, { protocols, client }), false);

const LENGTH = 16 << 20;
const bytes = new Uint8Array(LENGTH);
for (let at = 0; at < LENGTH; at += 65536) {
  crypto.getRandomValues(bytes.subarray(at, at + 65536));
}
const socket = new WebSocket(url, { client, perMessageDeflate: false });
socket.binaryType = "arraybuffer";
socket.onopen = () => {
  socket.send(bytes);
  socket.send("behind it");
};
socket.onmessage = ({ data }) => {
  if (data !== "behind it") {
    const back = new Uint8Array(data);
    console.log(back.length, back.every((byte, i) => byte === bytes[i]));
    return;
  }
  console.log(data, socket.bufferedAmount);
  socket.close(4003, "done");
};
socket.onerror = ({ message }) => console.log(message);
socket.onclose = ({ code, reason, wasClean }) =>
  console.log(code, reason, wasClean);
