// A stand-in for a hub of SignalR, in its JSON.
import { equal } from "./_kit.js";

const END = "\u001e";

export function hub(socket) {
  const send = (message) => socket.send(JSON.stringify(message) + END);
  socket.onmessage = ({ data }) => {
    for (const part of data.split(END).slice(0, -1)) {
      const { protocol, type, target, invocationId, arguments: values } = JSON
        .parse(part);
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
}
