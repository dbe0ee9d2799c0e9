// The other end of the stress program: sockets and streams that dial, with the same checks.
import { anomaly, random, Receiver, Sender, stats, write } from "./session.js";

const { base, seconds, seed } = JSON.parse(Deno.args[0]);
const end = performance.now() + seconds * 1000;

function session(next) {
  const query = {
    seed: 1 + next(1 << 30),
    count: next(60),
    back: next(60),
    form: ["event", "handler", "stream"][next(3)],
    end: ["client", "server", "client", "abandon"][next(4)],
  };
  const url = `${base[next(base.length)]}/?${new URLSearchParams(query)}`;
  const options = { perMessageDeflate: next(2) === 1, closeTimeout: 20 };
  return { ...query, url, options, isStream: next(3) === 0, pause: next(20) };
}

async function runSocket({ seed, count, back, end, url, options }) {
  const receiver = new Receiver(seed, `client ${seed}`);
  const socket = new WebSocket(url, options);
  socket.binaryType = "arraybuffer";
  let sender = null;
  let hasSent = false;
  const finish = () => {
    if (hasSent && receiver.count === count && end === "client") {
      socket.close(4001, `${back}`);
    }
  };
  socket.onopen = () => {
    stats.opened++;
    sender = new Sender(socket, seed ^ 0x55, back, () => {
      hasSent = true;
      finish();
    });
    if (end === "abandon") setTimeout(() => socket.terminate(), 50);
  };
  socket.onmessage = ({ data }) => {
    receiver.take(data);
    finish();
  };
  socket.onerror = ({ message }) => {
    if (end !== "abandon") anomaly(`client ${seed} ${end}: ${message}`);
  };
  await new Promise((resolve) => {
    socket.onclose = ({ code, reason }) => {
      sender?.stop();
      stats.closed++;
      const said =
        `client ${seed} ${end}: ${code} ${reason}, ${receiver.count}`;
      if (end === "client" && code !== 4001) anomaly(said);
      if (
        end === "server" &&
        (code !== 4000 || reason !== `${count}` || receiver.count !== count)
      ) anomaly(said);
      resolve();
    };
  });
}

async function runStream({ seed, count, back, end, url, options, pause }) {
  const receiver = new Receiver(seed, `client stream ${seed}`);
  const stream = new WebSocketStream(url, options);
  const { readable, writable } = await stream.opened;
  stats.opened++;
  if (end === "abandon") {
    await new Promise((resolve) => setTimeout(resolve, 20));
    await Promise.allSettled([readable.cancel(), stream.closed]);
    stats.closed++;
    return;
  }
  const writing = write(writable.getWriter(), seed ^ 0x55, back);
  const reading = (async () => {
    const reader = readable.getReader();
    while (end === "server" || receiver.count < count) {
      const { value, done } = await reader.read();
      if (done) return;
      receiver.take(value);
      if (receiver.count % 16 === 0) {
        await new Promise((resolve) => setTimeout(resolve, pause));
      }
    }
  })();
  const results = await Promise.allSettled([reading, writing]);
  if (end === "client") stream.close({ closeCode: 4001, reason: `${back}` });
  const [closed] = await Promise.allSettled([stream.closed]);
  stats.closed++;
  const { closeCode, reason } = closed.value ?? closed.reason;
  const said = `client stream ${seed} ${end}: ${closeCode} ${reason} ` +
    `${receiver.count} ${results[0].reason} ${results[1].reason}`;
  if (
    end === "client"
      ? closed.status !== "fulfilled" || closeCode !== 4001 ||
        results.some(({ status }) => status === "rejected")
      : closeCode !== 4000 || reason !== `${count}` || receiver.count !== count
  ) anomaly(said);
}

async function run(seed) {
  const next = random(seed);
  while (performance.now() < end) {
    const plan = session(next);
    try {
      await (plan.isStream ? runStream(plan) : runSocket(plan));
    } catch (error) {
      anomaly(`client ${plan.seed}: ${error}`);
    }
  }
}

await Promise.all(
  [1, 2, 3, 4, 5, 6].map((number) => run(seed + number * 7919)),
);
console.log(`sessions ${stats.closed}`);
if (stats.anomalies > 0) Deno.exit(1);
