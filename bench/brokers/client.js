// Publishes on one server and receives on the other. Prints when it begins and ends to send as
// many as can be in flight, and then how long single messages take.
const [kind, here, there, seconds] = Deno.args;
const IN_FLIGHT = 256, SINGLE = 2000;
const isSocketIo = kind === "socket-io";

const open = (port) =>
  new Promise((resolve, reject) => {
    const path = isSocketIo ? "socket.io/?EIO=4&transport=websocket" : "";
    const socket = new WebSocket(`ws://127.0.0.1:${port}/${path}`);
    socket.onerror = () => reject(new Error("a socket failed"));
    if (!isSocketIo) {
      socket.onopen = () => resolve(socket);
      return;
    }
    socket.onmessage = ({ data }) => {
      // Engine.IO's handshake, then Socket.IO's.
      if (data.startsWith("0")) socket.send("40");
      if (data.startsWith("40")) resolve(socket);
    };
  });

const publisher = await open(here), subscriber = await open(there);
publisher.onmessage = isSocketIo
  ? ({ data }) => data === "2" && publisher.send("3")
  : null;
const payload = "x".repeat(64);
const message = isSocketIo ? `42["p","${payload}"]` : payload;
let received = 0, next;
subscriber.onmessage = ({ data }) => {
  if (data === "2") {
    subscriber.send("3");
    return;
  }
  received += 1;
  next?.();
};
// The subscription is there when a message comes.
while (received === 0) {
  publisher.send(message);
  await new Promise((resolve) => setTimeout(resolve, 50));
}
await new Promise((resolve) => setTimeout(resolve, 500));

received = 0;
let sent = 0;
console.log("begin");
const begin = performance.now(), end = begin + Number(seconds) * 1000;
await new Promise((resolve) => {
  next = () => {
    const goesOn = performance.now() < end;
    while (goesOn && sent - received < IN_FLIGHT) {
      publisher.send(message);
      sent += 1;
    }
    if (!goesOn && received === sent) resolve();
  };
  next();
});
const elapsed = performance.now() - begin;
console.log("end", received, elapsed);

const times = [];
for (let i = 0; i < SINGLE; i++) {
  const start = performance.now();
  await new Promise((resolve) => {
    next = resolve;
    publisher.send(message);
  });
  times.push(performance.now() - start);
}
times.sort((a, b) => a - b);
console.log("single", times[SINGLE / 2], times[Math.floor(SINGLE * 0.99)]);
Deno.exit();
