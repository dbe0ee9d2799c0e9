// client: @hocuspocus/provider
// server: @hocuspocus/server
import {
  HocuspocusProvider,
  HocuspocusProviderWebsocket,
} from "@hocuspocus/provider";
import { Server } from "@hocuspocus/server";
import * as Y from "yjs";
import { binary, equal, equalBinary, text } from "./_kit.js";

const server = new Server({
  address: "127.0.0.1",
  port: 0,
  quiet: true,
  onAuthenticate({ token }) {
    equal(token, text);
    return Promise.resolve();
  },
});
await server.listen();
const url = `ws://127.0.0.1:${server.address.port}`;

const editors = ["one", "other"].map(() => {
  const websocketProvider = new HocuspocusProviderWebsocket({ url });
  const document = new Y.Doc();
  const provider = new HocuspocusProvider({
    websocketProvider,
    name: "document",
    document,
    token: text,
  });
  provider.attach();
  return { websocketProvider, document, provider };
});
for (const { provider } of editors) {
  if (!provider.synced) {
    await new Promise((resolve) => provider.on("synced", resolve));
  }
}
const [one, other] = editors.map(({ document }) => document);
const changed = (doc, done) =>
  new Promise((resolve) => doc.on("update", () => done() && resolve()));
let seen = changed(other, () => other.getText("t").length > 0);
one.getText("t").insert(0, text);
await seen;
equal(other.getText("t").toString(), text);
seen = changed(one, () => one.getMap("m").has("binary"));
other.getMap("m").set("binary", binary);
await seen;
await equalBinary(one.getMap("m").get("binary"));
for (const { provider, websocketProvider } of editors) {
  provider.destroy();
  websocketProvider.destroy();
}
await server.destroy();
console.log("ok");
