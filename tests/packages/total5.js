// client: total5
// server: total5
import { require } from "./_total.js";
import { binary, equal, equalBinary, event, exit, freePort, inbox, text } from "./_kit.js";

const port = await freePort();
require("total5");
const { ON, ROUTE, Total, WEBSOCKETCLIENT } = globalThis;
function echo(controller) {
  controller.autodestroy();
  controller.on("message", (client, message) => {
    if (message === "close") client.close(4001, "done");
    else client.send(message);
  });
}
ROUTE("SOCKET /text/ <1MB", echo, "text");
console.log(Object.keys(Total).length, typeof WEBSOCKETCLIENT, typeof Total.http, binary, equal, equalBinary, event, exit, inbox, text);
Total.http({ ip: "127.0.0.1", port, release: true });
ON("ready", () => console.log("ready"));
