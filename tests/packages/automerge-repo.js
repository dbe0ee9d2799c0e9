// client: @automerge/automerge-repo-network-websocket
// server: @automerge/automerge-repo-network-websocket
import { Repo } from "@automerge/automerge-repo";
import {
  WebSocketClientAdapter,
  WebSocketServerAdapter,
} from "@automerge/automerge-repo-network-websocket";
import { once } from "node:events";
import { WebSocketServer } from "ws";
import { binary, equal, equalBinary, text } from "./_kit.js";

const sockets = new WebSocketServer({ host: "127.0.0.1", port: 0 });
await once(sockets, "listening");
const server = new Repo({ network: [new WebSocketServerAdapter(sockets)] });
const url = `ws://127.0.0.1:${sockets.address().port}`;
const clients = ["one", "other"].map(() => {
  return new Repo({ network: [new WebSocketClientAdapter(url)] });
});

const handle = clients[0].create({ text, binary });
const copy = await clients[1].find(handle.url);
equal(copy.doc().text, text);
await equalBinary(copy.doc().binary);
const changed = once(handle, "change");
copy.change((doc) => {
  doc.text += "!";
});
await changed;
equal(handle.doc().text, text + "!");
for (const repo of [...clients, server]) await repo.shutdown();
sockets.close();
console.log("ok");
