// The client that the fuzzing server tests: `client.js ws://127.0.0.1:PORT`.
// Goes through all cases and echoes every message until the server closes.

const [server] = Deno.args;

const count = Number(await visit("/getCaseCount"));
for (let number = 1; number <= count; number++) {
  await visit(`/runCase?case=${number}&agent=duplex`);
}
await visit("/updateReports?agent=duplex&shutdownOnComplete=true");

/** Resolves with the first message when the connection is over, in any way. */
function visit(path) {
  return new Promise((resolve) => {
    const socket = new WebSocket(server + path);
    socket.binaryType = "arraybuffer";
    let first;
    socket.onmessage = ({ data }) => {
      first ??= data;
      if (path.startsWith("/runCase")) socket.send(data);
    };
    socket.onclose = () => resolve(first);
  });
}
