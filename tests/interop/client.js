// The client's half of the interop cases (tests/interop.rs has the list), for
// everything that has the WebSocket of the Web: duplex, Deno, Bun and ws.

const SIZES = [0, 1, 125, 126, 65535, 65536, 1 << 20];
const BURST = 1000;

/** The options of a client or server for a compression, `ws`' and duplex' own. */
export function perMessageDeflate(compression) {
  return {
    "uncompressed": false,
    "takeover": true,
    "no takeover": {
      serverNoContextTakeover: true,
      clientNoContextTakeover: true,
    },
  }[compression];
}

/**
 * Goes through the cases with sockets from `dial(protocols)`. `serverPings` says
 * that the server can ping when it is told to; `ping(socket)` sends a ping and
 * resolves with the pong's payload, where the client has a way to.
 */
export async function run(dial, serverPings, ping) {
  const first = await open(dial(["other", "duplex.test"]));
  equal(first.socket.protocol, "duplex.test", "subprotocol");
  for (const size of SIZES) {
    const text = "0123456789abcdef".repeat(size / 16 + 1).slice(0, size);
    first.socket.send(text);
    equal(await first.next() === text, true, `text of ${size}`);
    const bytes = new Uint8Array(size).map((_, i) => i * 31);
    first.socket.send(bytes);
    const back = new Uint8Array(await first.next());
    equal(back.length, size, "length of binary");
    equal(back.every((b, i) => b === bytes[i]), true, `binary of ${size}`);
  }
  first.socket.send("grüße, 世界 💬");
  equal(await first.next(), "grüße, 世界 💬", "text beyond ASCII");

  for (let i = 0; i < BURST; i++) first.socket.send(`burst ${i}`);
  for (let i = 0; i < BURST; i++) equal(await first.next(), `burst ${i}`);

  if (ping) equal(await ping(first.socket), "any payload", "pong's payload");
  if (serverPings) {
    first.socket.send("ping");
    equal(await first.next(), "ponged", "after the server's ping");
  }
  first.socket.send("close 4002 from the server");
  equal(await first.closed, [4002, "from the server", true], "server closes");

  const second = await open(dial([]));
  equal(second.socket.protocol ?? "", "", "no subprotocol");
  second.socket.close(4001, "from the client");
  equal(await second.closed, [4001, "from the client", true], "client closes");

  const third = await open(dial([]));
  third.socket.close();
  equal((await third.closed)[0], 1005, "close without a code");
  console.log("ok");
}

async function open(socket) {
  socket.binaryType = "arraybuffer";
  const arrived = [];
  const waiting = [];
  socket.onmessage = ({ data }) => {
    if (waiting.length > 0) waiting.shift()(data);
    else arrived.push(data);
  };
  const closed = new Promise((resolve) => {
    socket.onclose = ({ code, reason, wasClean }) =>
      resolve([code, reason, wasClean]);
  });
  await new Promise((resolve, reject) => {
    socket.onopen = resolve;
    socket.onerror = (event) => reject(new Error(event.message));
  });
  const next = () =>
    arrived.length > 0
      ? Promise.resolve(arrived.shift())
      : new Promise((resolve) => waiting.push(resolve));
  return { socket, closed, next };
}

function equal(actual, expected, what = "") {
  const [a, e] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (a !== e) throw new Error(`${what}: expected ${e}, got ${a}`);
}
