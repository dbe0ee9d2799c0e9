import process from "node:process";
import { equal, freePort, inbox, text } from "../_kit.js";
import { require } from "../_total.js";
import { system } from "./_system.js";

// It takes the arguments of the program for its own.
function start() {
  process.argv.length = 2;
  require("total4");
  return globalThis;
}

system({
  async serve(type) {
    const { HTTP, ON, ROUTE } = start();
    const port = await freePort();
    function echo() {
      this.autodestroy();
      this.on("message", (client, message) => {
        if (message === "close") client.close("done", 4001);
        else client.send(message);
      });
      this.on("close", (client) => console.log(`closed ${client.closecode}`));
    }
    ROUTE("SOCKET /", echo, [type ?? "text"], 1024);
    HTTP("release", { ip: "127.0.0.1", port });
    await new Promise((resolve) => ON("ready", resolve));
    return port;
  },
  // Its client masks frames only if it is told to.
  async talk(url) {
    const { WEBSOCKETCLIENT } = start();
    const events = inbox();
    WEBSOCKETCLIENT((client) => {
      Object.assign(client.options, {
        masking: true,
        reconnect: 0,
        type: "text",
      });
      client.on("open", () => events.push(client));
      client.on("error", events.push);
      client.on("message", events.push);
      client.on("close", (code) => events.push(code));
      client.connect(url.href);
    });
    const client = await events.next();
    for (const message of [text, text.repeat(10_000)]) {
      client.send(message);
      equal(await events.next(), message);
    }
    client.send("close");
    equal(await events.next(), 4001);
  },
});
