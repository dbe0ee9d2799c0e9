// client: @deepgram/sdk
// The server is a stand-in: Deepgram is a service.
import { DeepgramClient } from "@deepgram/sdk";
import { binary, equal, equalBinary, inbox, serve, text } from "./_kit.js";

const heard = inbox();
const server = await serve((socket, url) => {
  heard.push([url.pathname, url.searchParams.get("model")]);
  socket.onmessage = ({ data }) => {
    if (typeof data === "string") {
      heard.push(JSON.parse(data).type);
      return socket.close(1000);
    }
    heard.push(data);
    const channel = { alternatives: [{ transcript: text }] };
    socket.send(JSON.stringify({ type: "Results", is_final: true, channel }));
  };
});
const base = `ws://127.0.0.1:${server.port}`;
const client = new DeepgramClient({
  apiKey: "key",
  environment: { base, production: base, agent: base },
});
const connection = await client.listen.v1.connect({
  model: "nova-3",
  reconnectAttempts: 0,
});
const events = inbox();
connection.on("message", events.push);
connection.on("close", ({ code }) => events.push(code));
connection.connect();
await connection.waitForOpen();
equal(await heard.next(), ["/v1/listen", "nova-3"]);
connection.sendMedia(binary);
await equalBinary(await heard.next());
equal((await events.next()).channel.alternatives[0].transcript, text);
connection.sendCloseStream({ type: "CloseStream" });
equal(await heard.next(), "CloseStream");
equal(await events.next(), 1000);
connection.close();
await server.close();
console.log("ok");
