// Publishes to the sockets of the publisher's own event loop and to as many of another one, in
// turns, and prints the rates and their ratio. Arguments: the server's port, and how many rounds.
const [port, rounds] = Deno.args.map(Number);
const SUBSCRIBERS = 30;
const MESSAGES = 20_000;
const AT_ONCE = 100;

const open = () =>
  new Promise((resolve, reject) => {
    const socket = new WebSocket(`ws://127.0.0.1:${port}`);
    socket.onerror = ({ message }) => reject(new Error(message));
    socket.onmessage = ({ data }) => resolve({ socket, loop: data });
  });
const opened = [];
// Connections go to the loop that has the fewest.
for (let i = 0; i < 2 * SUBSCRIBERS + 2; i++) opened.push(await open());
const [{ socket: publisher, loop: own }] = opened.splice(0, 1);
const of = (isOwn) =>
  opened.filter(({ loop }) => (loop === own) === isOwn)
    .slice(0, SUBSCRIBERS).map(({ socket }) => socket);
const groups = { same: of(true), other: of(false) };
for (const [topic, sockets] of Object.entries(groups)) {
  if (sockets.length < SUBSCRIBERS) throw new Error("the server has one loop");
  for (const socket of sockets) {
    await new Promise((resolve) => {
      socket.onmessage = resolve;
      socket.send(`subscribe ${topic}`);
    });
  }
}

async function rate(topic) {
  const sockets = groups[topic];
  const all = sockets.length * MESSAGES;
  let left = all;
  const { promise, resolve } = Promise.withResolvers();
  for (const socket of sockets) {
    socket.onmessage = () => {
      if (--left === 0) resolve();
    };
  }
  const start = performance.now();
  for (let i = 0; i < MESSAGES / AT_ONCE; i++) {
    publisher.send(`publish ${topic} ${AT_ONCE}`);
  }
  await promise;
  return all / (performance.now() - start) * 1000;
}

const ratios = [];
for (let round = 0; round < rounds; round++) {
  const [same, other] = [await rate("same"), await rate("other")];
  ratios.push(other / same);
  console.log(
    `same loop ${Math.round(same)}/s, another loop ${Math.round(other)}/s, ${
      (other / same).toFixed(2)
    } x`,
  );
}
const median = ratios.sort((a, b) => a - b)[Math.floor(rounds / 2)];
console.log(`median ${median.toFixed(2)} x`);
Deno.exit();
