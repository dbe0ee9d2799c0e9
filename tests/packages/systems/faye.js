import { createServer } from "node:http";
import faye from "faye";
import { equal, inbox, listen, text } from "../_kit.js";
import { system } from "./_system.js";

system({
  serve() {
    const http = createServer();
    new faye.NodeAdapter({ mount: "/faye", timeout: 5 }).attach(http);
    return listen(http);
  },
  async talk({ host }) {
    const client = new faye.Client(`http://${host}/faye`);
    const news = inbox();
    await client.subscribe("/news", news.push);
    for (const message of [text, text.repeat(10_000)]) {
      await client.publish("/news", { message });
      equal(await news.next(), { message });
    }
    await client.disconnect();
  },
});
