// The client of SignalR; the server is a stand-in.
import {
  HttpTransportType,
  HubConnectionBuilder,
  LogLevel,
} from "@microsoft/signalr";
import { equal, inbox, serve, text } from "../_kit.js";
import { hub } from "../_signalr.js";
import { system } from "./_system.js";

system({
  serve: async () => (await serve(hub)).port,
  async talk({ host }) {
    const connection = new HubConnectionBuilder()
      .withUrl(`http://${host}/hub`, {
        skipNegotiation: true,
        transport: HttpTransportType.WebSockets,
      })
      .configureLogging(LogLevel.None)
      .build();
    await connection.start();
    for (const message of [text, text.repeat(10_000)]) {
      equal(await connection.invoke("Echo", message), message);
    }
    const told = inbox();
    connection.on("told", told.push);
    await connection.send("Tell", text);
    equal(await told.next(), text);
    await connection.stop();
  },
});
