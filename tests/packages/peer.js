// server: peer
// Its client wants WebRTC: here the messages are sent as the client sends them.
import { PeerServer } from "peer";
import { equal, event, exit, text } from "./_kit.js";

const http = await new Promise((resolve) => {
  PeerServer({ host: "127.0.0.1", port: 0, path: "/app" }, resolve);
});
const host = `127.0.0.1:${http.address().port}/app`;
const id = await (await fetch(`http://${host}/peerjs/id`)).text();
equal(id.length, 36);
const connect = async (id) => {
  const socket = new WebSocket(
    `ws://${host}/peerjs?key=peerjs&id=${id}&token=t`,
  );
  const { data } = await event(socket, "message");
  equal(JSON.parse(data), { type: "OPEN" });
  return socket;
};
const one = await connect(id);
const other = await connect("other");
const long = text.repeat(5_000);
for (const payload of [text, long]) {
  const arrived = event(other, "message");
  one.send(JSON.stringify({ type: "OFFER", dst: "other", payload }));
  const expected = { type: "OFFER", src: id, dst: "other", payload };
  const message = JSON.parse((await arrived).data);
  for (const key of Object.keys(expected)) equal(message[key], expected[key]);
}
for (const socket of [one, other]) {
  socket.close();
  await event(socket, "close");
}
console.log("ok");
// It looks for lost clients for good.
exit();
