// client: @microsoft/signalr
// ci: yes
// The server is a stand-in: Microsoft's own needs .NET.
import { HubConnectionBuilder, HttpTransportType, LogLevel } from "@microsoft/signalr";
import { equal, inbox, serve, text } from "./_kit.js";

const END = "\u001e";
const long = text.repeat(10_000);
const server = await serve((socket) => {
  const send = (message) => socket.send(JSON.stringify(message) + END);
  socket.onmessage = ({ data }) => {
    for (const part of data.split(END).slice(0, -1)) {
      const { protocol, type, target, invocationId, arguments: values } = JSON.parse(part);
      if (protocol) {
        equal(protocol, "json");
        send({});
      } else if (type === 1 && target === "Echo") {
        send({ type: 3, invocationId, result: values[0] });
      } else if (type === 1 && target === "Fail") {
        send({ type: 3, invocationId, error: values[0] });
      } else if (type === 1 && target === "Tell") {
        send({ type: 1, target: "told", arguments: values });
      } else if (type === 4) {
        for (const item of values[0]) send({ type: 2, invocationId, item });
        send({ type: 3, invocationId });
      } else if (type === 7) {
        socket.close(1000);
      }
    }
  };
});

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
