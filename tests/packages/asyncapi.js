// client: @asyncapi/parser
// peer: examples/chat
import { Parser } from "@asyncapi/parser";
import Ajv from "ajv";
import { readFile } from "node:fs/promises";
import process from "node:process";
import { equal, event, inbox, text } from "./_kit.js";

// What the description says is what examples/chat sends and takes.
const source = await readFile(
  new URL("./chat.asyncapi.json", import.meta.url),
  "utf8",
);
const { document, diagnostics } = await new Parser().parse(source);
equal(diagnostics.filter(({ severity }) => severity === 0), []);
const channel = document.channels().get("chat");
const operation = (name) => {
  const [message] = document.operations().get(name).messages().all();
  return new Ajv({ keywords: ["x-parser-schema-id"] }).compile(
    message.payload().json(),
  );
};
const isSaid = operation("say");
const isHeard = operation("hear");
equal(channel.address(), "/chat");

const url = new URL(channel.address(), process.env.CHAT_URL);
url.protocol = "ws:";
const [query] = Object.keys(
  channel.bindings().get("ws").json().query.properties,
);
const visit = async (name) => {
  url.searchParams.set(query, name);
  const socket = new WebSocket(url);
  const heard = inbox();
  socket.onmessage = ({ data }) => heard.push(JSON.parse(data));
  await event(socket, "open");
  return { socket, heard };
};
const one = await visit("one");
const other = await visit("other");
const expected = [
  [one, { from: "", text: "one came in" }],
  [one, { from: "", text: "other came in" }],
  [other, { from: "", text: "other came in" }],
];
const hear = async ({ heard }, wanted) => {
  const message = await heard.next();
  equal([message, isHeard(message)], [wanted, true]);
};
for (const [visitor, message] of expected) await hear(visitor, message);
equal(isSaid(text), true);
one.socket.send(text);
for (const visitor of [one, other]) await hear(visitor, { from: "one", text });

// What the description forbids is refused.
const long = "x".repeat(2001);
for (const [visitor, wrong] of [[one, long], [other, new Uint8Array(3)]]) {
  equal(isSaid(wrong), false);
  const closed = event(visitor.socket, "close");
  visitor.socket.send(wrong);
  equal((await closed).code, 4000);
}
console.log("ok");
