// The Web's own interface, on duplex. The server sends everything back, and closes at
// the text "close". Of a client it is told what the server cannot do.
import {
  binary,
  equal,
  equalBinary,
  event,
  reason,
  serve,
  text,
} from "../_kit.js";
import { system } from "./_system.js";

system({
  async serve() {
    const { port } = await serve((socket) => {
      socket.onmessage = ({ data }) => {
        if (data === "close") socket.close(4001, reason);
        else socket.send(data);
      };
      socket.onclose = ({ code, reason }) =>
        console.log(`closed ${code} ${reason}`);
    });
    return port;
  },
  async talk(url, traits) {
    const can = (trait) => !traits.includes(`no-${trait}`);
    const socket = new WebSocket(url);
    socket.binaryType = "arraybuffer";
    await event(socket, "open");
    const answer = async (message) => {
      const answered = event(socket, "message");
      socket.send(message);
      return (await answered).data;
    };
    equal(await answer(text), text);
    if (can("binary")) await equalBinary(await answer(binary));
    // The server pings, and says so when the pong has come.
    if (can("ping")) equal(await answer("ping"), "pong");
    let closed = event(socket, "close");
    socket.close(4002, reason);
    const { code, wasClean } = await closed;
    if (can("code")) equal(code, 4002);
    if (can("answer")) equal(wasClean, true);

    const other = new WebSocket(url);
    await event(other, "open");
    closed = event(other, "close");
    other.send("close");
    const end = await closed;
    equal(end.code, 4001);
    if (can("reason")) equal(end.reason, reason);
  },
});
