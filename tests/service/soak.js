// Sends and closes at random, and tells what it sent and got on each socket. A client's
// path is a number, whose remainder by 4 says who closes: 0 the server, 1 the client,
// 2 whoever is first, 3 nobody: the client vanishes.

function random(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

const pause = (random) =>
  new Promise((done) => setTimeout(done, random() * 10));

// A message begins with its number: a text in digits, a binary one in four bytes.
function makeMessage(number, random) {
  const length = random() < 0.02 ? 300_000 : Math.floor(random() * 3000);
  if (random() < 0.5) return `${number}:${"x".repeat(length)}`;
  const bytes = new Uint8Array(4 + length);
  new DataView(bytes.buffer).setUint32(0, number);
  return bytes;
}

const numberOf = (data) =>
  typeof data === "string" ? parseInt(data) : new DataView(data).getUint32(0);

async function talk(ws) {
  const { data } = ws;
  const count = Math.floor(data.random() * 50);
  while (data.sent < count) {
    const result = ws.send(makeMessage(data.sent, data.random));
    if (result !== 0) data.sent++;
    else if (ws.readyState !== WebSocket.OPEN) return;
    else await new Promise((done) => data.drained = done);
    if (data.random() < 0.3) await pause(data.random);
  }
  if (data.id % 4 === 0 || data.id % 4 === 2) ws.close(4000, `${data.sent}`);
}

Deno.serve({
  hostname: "127.0.0.1",
  port: 0,
  onListen: ({ port }) => console.log(`listening ${port}`),
  fetch(request, info) {
    const id = Number(new URL(request.url).pathname.slice(1));
    info.upgrade(request, {
      data: { id, random: random(id), sent: 0, received: 0 },
    });
  },
  websocket: {
    backpressureLimit: 100_000,
    perMessageDeflate: true,
    open: talk,
    message({ data }, message) {
      if (numberOf(message) !== data.received++) {
        console.log(`disorder ${data.id}`);
      }
    },
    drain({ data }) {
      data.drained?.();
    },
    close({ data }, code, reason) {
      data.drained?.();
      const { id, sent, received } = data;
      console.log(`end ${id} ${sent} ${received} ${code} ${reason}`);
    },
  },
});
