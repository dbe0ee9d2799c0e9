// The client of Phoenix; the server is a stand-in.
import { binary, equal, inbox, serve, text } from "../_kit.js";
import { Socket } from "phoenix";
import { channels } from "../_phoenix.js";
import { system } from "./_system.js";

system({
  serve: async () => (await serve(channels)).port,
  async talk(url) {
    const socket = new Socket(new URL("/socket", url).href);
    const closed = inbox();
    socket.onClose(closed.push);
    socket.connect();
    const reply = (push) =>
      new Promise((resolve, reject) =>
        push.receive("ok", resolve).receive("error", reject)
      );
    const channel = socket.channel("room:1", { text });
    equal(await reply(channel.join()), { text });
    equal(await reply(channel.push("echo", { text })), { text });
    equal(
      (await reply(channel.push("echo", binary.buffer))).byteLength,
      binary.length,
    );
    socket.disconnect(null, 4002, "réason");
    await closed.next();
  },
});
