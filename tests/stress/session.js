// What both ends of the stress program know: the messages of a session, by its seed, and how
// they are sent and checked.
//
// Message `k` of a session is a text "k:..." or bytes that start with k; what follows is a
// part of one long text that all ends have. "P" and a number begin what is published.

/** xorshift32, as in tests/stress.rs. */
export function random(seed) {
  let state = seed >>> 0 || 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state % below;
  };
}

const LONGEST = 1_500_000;
const OFFSETS = 65_536;
const BYTES = new Uint8Array(LONGEST + OFFSETS);
{
  const next = random(1);
  for (let i = 0; i < BYTES.length; i++) BYTES[i] = 97 + next(26);
}
const TEXT = new TextDecoder().decode(BYTES);

/** What message `k` is like. */
function plan(seed, k) {
  const next = random(seed ^ Math.imul(k + 1, 0x9e3779b1));
  next(2);
  next(2);
  const isText = next(2) === 1;
  const kind = next(100);
  const range = kind < 50
    ? 200
    : kind < 75
    ? 4000
    : kind < 90
    ? 70_000
    : kind < 97
    ? 300_000
    : LONGEST;
  return { isText, length: next(range), offset: next(OFFSETS) };
}

/** Message `k`, in memory of its own. */
function make(seed, k) {
  const { isText, length, offset } = plan(seed, k);
  if (isText) return `${k}:${TEXT.slice(offset, offset + length)}`;
  const bytes = new Uint8Array(4 + length);
  new DataView(bytes.buffer).setUint32(0, k);
  bytes.set(BYTES.subarray(offset, offset + length), 4);
  return bytes;
}

/** What is published as number `n`. */
export function publication(n) {
  const { length, offset } = plan(77, n);
  return `P${n}:${TEXT.slice(offset, offset + length % 3000)}`;
}

/** Checks what one end of a session receives. */
export class Receiver {
  count = 0;
  #seed;
  #name;
  #published = null;

  constructor(seed, name) {
    this.#seed = seed;
    this.#name = name;
  }

  take(data) {
    if (typeof data === "string" && data[0] === "P") {
      const n = parseInt(data.slice(1));
      const expected = this.#published ?? n;
      if (n !== expected || data !== publication(n)) {
        this.#fail(`published ${expected}, got ${data.slice(0, 20)}`);
      }
      this.#published = n + 1;
      return;
    }
    const expected = make(this.#seed, this.count);
    if (typeof expected === "string") {
      if (data !== expected) {
        this.#fail(`text ${this.count}, got ${show(data)}`);
      }
    } else {
      const bytes = typeof data === "string" ? [] : new Uint8Array(data);
      if (!isEqual(bytes, expected)) {
        this.#fail(`bytes ${this.count}, got ${show(data)}`);
      }
    }
    this.count++;
  }

  #fail(message) {
    anomaly(`${this.#name}: expected ${message}`);
    throw new Error(message);
  }
}

function isEqual(a, b) {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

function show(data) {
  return typeof data === "string"
    ? `text ${data.length} ${data.slice(0, 20)}`
    : `bytes ${data.byteLength} ${new Uint8Array(data).slice(0, 20)}`;
}

export const stats = { opened: 0, closed: 0, anomalies: 0 };

/** Something that must not be. */
export function anomaly(message) {
  stats.anomalies++;
  console.log(`anomaly ${message}`);
}

/** Sends the messages of a session by a socket, each way in another rhythm. */
export class Sender {
  #socket;
  #seed;
  #count;
  #next = 0;
  #random;
  #rhythm;
  #done;

  constructor(socket, seed, count, done) {
    this.#socket = socket;
    this.#seed = seed;
    this.#count = count;
    this.#done = done;
    this.#random = random(seed ^ 0x5eed);
    this.#random(2);
    this.#rhythm = ["burst", "timer", "microtask", "turn"][this.#random(4)];
    socket.ondrain = () => this.#go(1 + this.#random(3));
    if (this.#rhythm === "timer") {
      const timer = setInterval(() => {
        this.#go(1 + this.#random(4));
        if (this.#done === null) clearInterval(timer);
      }, this.#random(20));
    } else {
      this.#turn();
    }
  }

  /** For a socket that has ended. */
  stop() {
    this.#done = null;
  }

  #turn() {
    if (this.#done === null) return;
    const isIdle = this.#socket.bufferedAmount === 0;
    switch (this.#rhythm) {
      case "burst":
        this.#go(20);
        setTimeout(() => this.#turn(), isIdle ? 0 : 10);
        break;
      case "microtask":
        Promise.resolve().then(() => this.#go(2));
        setTimeout(() => this.#turn(), this.#random(5));
        break;
      default:
        this.#go(1);
        setTimeout(() => this.#turn(), this.#random(3));
    }
  }

  #go(most) {
    for (let i = 0; i < most && this.#done !== null; i++) {
      if (this.#next === this.#count) {
        const done = this.#done;
        this.#done = null;
        done();
        return;
      }
      if (
        this.#socket.readyState !== WebSocket.OPEN ||
        this.#socket.bufferedAmount > 2 << 20
      ) return;
      this.#send(make(this.#seed, this.#next));
      this.#next++;
    }
  }

  #send(data) {
    const socket = this.#socket;
    if (typeof data === "string") {
      socket.send(data);
      return;
    }
    switch (this.#random(5)) {
      case 0:
        socket.send(data.buffer);
        break;
      case 1: {
        const longer = new Uint8Array(data.length + 10);
        longer.set(data, 3);
        socket.send(longer.subarray(3, 3 + data.length));
        longer.fill(0);
        break;
      }
      case 2:
        socket.send(new DataView(data.buffer));
        break;
      case 3:
        if (data.length < 50_000) {
          socket.send(new Blob([data]));
          break;
        }
        socket.send(data);
        break;
      default:
        socket.send(data);
        data.buffer.transfer();
        return;
    }
    // What was sent is what it was.
    data.fill(0);
  }
}

/** Sends them by a stream. */
export async function write(writer, seed, count) {
  for (let k = 0; k < count; k++) await writer.write(make(seed, k));
}
