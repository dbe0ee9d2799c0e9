// client: @microsoft/signalr
// ci: yes
// The server is a stand-in: Microsoft's own needs .NET.
import {
  HttpTransportType,
  HubConnectionBuilder,
  LogLevel,
} from "@microsoft/signalr";
import { equal, inbox, serve, text } from "./_kit.js";
import { hub } from "./_signalr.js";

const long = text.repeat(10_000);
const server = await serve(hub);
const connection = new HubConnectionBuilder()
  .withUrl(`http://127.0.0.1:${server.port}/hub`, {
    skipNegotiation: true,
    transport: HttpTransportType.WebSockets,
  })
  .configureLogging(LogLevel.None)
  .build();
await connection.start();
equal(await connection.invoke("Echo", text), text);
equal(await connection.invoke("Echo", long), long);
const error = await connection.invoke("Fail", text).catch((error) => error);
equal(error.message, text);
const told = inbox();
connection.on("told", told.push);
await connection.send("Tell", text);
equal(await told.next(), text);
const letters = [];
await new Promise((complete, error) => {
  connection.stream("Letters", [...text]).subscribe({
    next: (letter) => letters.push(letter),
    complete,
    error,
  });
});
equal(letters, [...text]);
const closed = inbox();
connection.onclose(() => closed.push());
await connection.stop();
await closed.next();
await server.close();
console.log("ok");
