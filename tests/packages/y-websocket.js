// client: y-websocket
// server: y-websocket@2
// ci: yes
import { setupWSConnection } from "y-websocket-2/bin/utils";
import { once } from "node:events";
import { WebSocketServer } from "ws";
import { WebsocketProvider } from "y-websocket";
import * as Y from "yjs";
import { binary, equal, equalBinary, exit, text } from "./_kit.js";

const sockets = new WebSocketServer({ host: "127.0.0.1", port: 0 });
await once(sockets, "listening");
sockets.on("connection", setupWSConnection);
const url = `ws://127.0.0.1:${sockets.address().port}`;

const editors = ["one", "other"].map(() => {
  const doc = new Y.Doc();
  const provider = new WebsocketProvider(url, "room", doc, { disableBc: true });
  return { doc, provider };
});
const [one, other] = editors;
for (const { provider } of editors) {
  if (!provider.synced) {
    await new Promise((resolve) => provider.once("sync", resolve));
  }
}
const changed = (doc, done) =>
  new Promise((resolve) => doc.on("update", () => done() && resolve()));

let seen = changed(other.doc, () => other.doc.getText("t").length > 0);
one.doc.getText("t").insert(0, text);
await seen;
equal(other.doc.getText("t").toString(), text);
seen = changed(one.doc, () => one.doc.getMap("m").has("binary"));
other.doc.getMap("m").set("binary", binary);
await seen;
await equalBinary(one.doc.getMap("m").get("binary"));
const aware = new Promise((resolve) =>
  other.provider.awareness.on("change", resolve)
);
one.provider.awareness.setLocalStateField("user", text);
await aware;
equal(other.provider.awareness.getStates().get(one.doc.clientID).user, text);

for (const { doc, provider } of editors) {
  const closed = new Promise((resolve) =>
    provider.once("connection-close", resolve)
  );
  provider.destroy();
  await closed;
  doc.destroy();
}
sockets.close();
console.log("ok");
// The server keeps a timer for each document.
exit();
