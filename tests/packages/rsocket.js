// client: rsocket-websocket-client
// server: rsocket-websocket-server
import { Buffer } from "node:buffer";
import { once } from "node:events";
import { BufferEncoders, RSocketClient, RSocketServer } from "rsocket-core";
import { Flowable, Single } from "rsocket-flowable";
import client from "rsocket-websocket-client";
import server from "rsocket-websocket-server";
import { WebSocket, WebSocketServer } from "ws";
import { binary, equal, equalBinary, inbox, text } from "./_kit.js";

const sockets = new WebSocketServer({ host: "127.0.0.1", port: 0 });
await once(sockets, "listening");
const responder = {
  requestResponse({ data }) {
    return String(data) === "fail"
      ? Single.error(new Error(text))
      : Single.of({ data });
  },
  requestStream: ({ data }) => Flowable.just({ data }, { data }, { data }),
};
new RSocketServer({
  getRequestHandler: () => responder,
  transport: new server.default({}, BufferEncoders, () => sockets),
}).start();

const url = `ws://127.0.0.1:${sockets.address().port}`;
const value = (single) =>
  new Promise((onComplete, onError) =>
    single.subscribe({ onComplete, onError })
  );
const socket = await value(
  new RSocketClient({
    setup: {
      dataMimeType: "application/octet-stream",
      metadataMimeType: "application/octet-stream",
      keepAlive: 60_000,
      lifetime: 180_000,
    },
    transport: new client.default({
      url,
      wsCreator: (url) => new WebSocket(url),
    }, BufferEncoders),
  }).connect(),
);
const ask = (data) =>
  value(socket.requestResponse({ data: Buffer.from(data) }));
equal(String((await ask(text)).data), text);
await equalBinary((await ask(binary)).data);
equal((await ask("fail").catch((error) => error)).source.message, text);
const items = inbox();
socket.requestStream({ data: Buffer.from(text) }).subscribe({
  onSubscribe: (subscription) => subscription.request(10),
  onNext: ({ data }) => items.push(String(data)),
  onComplete: () => items.push("done"),
  onError: items.push,
});
for (const item of [text, text, text, "done"]) equal(await items.next(), item);
const closed = inbox();
socket.connectionStatus().subscribe({
  onSubscribe: (subscription) => subscription.request(10),
  onNext: ({ kind }) => closed.push(kind),
});
equal(await closed.next(), "CONNECTED");
socket.close();
equal(await closed.next(), "CLOSED");
sockets.close();
console.log("ok");
