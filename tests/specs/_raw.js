// WebSocket peers made of plain TCP, for specs that need one to misbehave or to
// choose which bytes come in one packet.

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export const TEXT = 0x1;
export const BINARY = 0x2;
export const CLOSE = 0x8;
export const PING = 0x9;
export const PONG = 0xa;

/** One frame; `first` is the whole first byte when given as `{ first }`. */
export function frame(opcode, payload = "", options = {}) {
  const { fin = true, mask = false, first } = options;
  const body = typeof payload === "string"
    ? encoder.encode(payload)
    : new Uint8Array(payload);
  const head = [first ?? ((fin ? 0x80 : 0) | opcode)];
  const masked = mask ? 0x80 : 0;
  if (body.length < 126) {
    head.push(masked | body.length);
  } else if (body.length < 65536) {
    head.push(masked | 126, body.length >> 8, body.length & 255);
  } else {
    head.push(masked | 127, 0, 0, 0, 0);
    for (const shift of [24, 16, 8, 0]) head.push((body.length >> shift) & 255);
  }
  const key = mask ? [0x12, 0x34, 0x56, 0x78] : [];
  const out = new Uint8Array(head.length + key.length + body.length);
  out.set(head);
  out.set(key, head.length);
  for (let i = 0; i < body.length; i++) {
    out[head.length + key.length + i] = mask ? body[i] ^ key[i & 3] : body[i];
  }
  return out;
}

/** The payload of a close frame. */
export function closePayload(code, reason = "") {
  return concat([code >> 8, code & 255], encoder.encode(reason));
}

export function concat(...parts) {
  const whole = new Uint8Array(
    parts.reduce((sum, { length }) => sum + length, 0),
  );
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}

/** Reads lines and frames from a connection. */
export class Reader {
  #conn;
  #buffer = new Uint8Array(0);

  constructor(conn) {
    this.#conn = conn;
  }

  /** `n` bytes, or null when the peer ended before. */
  async bytes(n) {
    while (this.#buffer.length < n) {
      const chunk = new Uint8Array(65536);
      const read = await this.#conn.read(chunk);
      if (read === null) return null;
      this.#buffer = concat(this.#buffer, chunk.subarray(0, read));
    }
    const bytes = this.#buffer.slice(0, n);
    this.#buffer = this.#buffer.slice(n);
    return bytes;
  }

  /** The head of an HTTP message, up to and without its empty line. */
  async head() {
    let text = "";
    while (!text.endsWith("\r\n\r\n")) {
      const byte = await this.bytes(1);
      if (byte === null) return null;
      text += decoder.decode(byte);
    }
    return text.slice(0, -4);
  }

  /** The next frame as `{ opcode, fin, masked, payload }`, or null at the end. */
  async frame() {
    const head = await this.bytes(2);
    if (head === null) return null;
    let length = head[1] & 127;
    if (length >= 126) {
      const more = await this.bytes(length === 126 ? 2 : 8);
      length = more.reduce((sum, byte) => sum * 256 + byte, 0);
    }
    const masked = (head[1] & 128) !== 0;
    const key = masked ? await this.bytes(4) : [0, 0, 0, 0];
    const payload = await this.bytes(length);
    if (payload === null) return null;
    return {
      first: head[0],
      opcode: head[0] & 15,
      fin: (head[0] & 128) !== 0,
      masked,
      payload: payload.map((byte, i) => byte ^ key[i & 3]),
    };
  }

  /** The next close frame as `[code, reason]`; other frames are passed over. */
  async close() {
    for (;;) {
      const next = await this.frame();
      if (next === null) return null;
      if (next.opcode !== CLOSE) continue;
      const { payload } = next;
      if (payload.length === 0) return [1005, ""];
      return [payload[0] * 256 + payload[1], decoder.decode(payload.slice(2))];
    }
  }
}

/** What RFC 6455 section 4.2.2 makes of a Sec-WebSocket-Key. */
export async function acceptKey(key) {
  const bytes = encoder.encode(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-1", bytes));
  return btoa(String.fromCharCode(...digest));
}

/** The value of a header in an HTTP head. */
export function header(head, name) {
  const line = head.split("\r\n").find((line) =>
    line.toLowerCase().startsWith(name.toLowerCase() + ":")
  );
  return line?.slice(line.indexOf(":") + 1).trim();
}

/** The head of a proper 101 response to a request's head. */
export async function switching(head, extra = "") {
  return "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n" +
    "Connection: Upgrade\r\n" +
    `Sec-WebSocket-Accept: ${await acceptKey(
      header(head, "sec-websocket-key"),
    )}\r\n${extra}\r\n`;
}

/** Writes text or bytes whole. */
export async function write(conn, data) {
  let bytes = typeof data === "string" ? encoder.encode(data) : data;
  while (bytes.length > 0) bytes = bytes.subarray(await conn.write(bytes));
}

/**
 * A TCP server for one connection. `body(conn, reader, head)` gets the head of the
 * request. Returns the URL and a promise of what `body` returned.
 */
export function rawServer(body) {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const done = (async () => {
    const conn = await listener.accept();
    listener.close();
    const reader = new Reader(conn);
    try {
      return await body(conn, reader, await reader.head());
    } finally {
      try {
        conn.close();
      } catch {
        // closed by the body
      }
    }
  })();
  return { url: `ws://127.0.0.1:${listener.addr.port}/`, done };
}

/** A raw server that shakes hands and then hands over to `body(conn, reader)`. */
export function rawWebSocketServer(body) {
  return rawServer(async (conn, reader, head) => {
    await write(conn, await switching(head));
    return await body(conn, reader);
  });
}

/** A raw client's upgrade request; the headers given replace or add to its own. */
export function upgradeRequest(headers = {}, start = "GET / HTTP/1.1") {
  const all = {
    Host: "127.0.0.1",
    Upgrade: "websocket",
    Connection: "Upgrade",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version": "13",
    ...headers,
  };
  const lines = Object.entries(all)
    .filter(([_name, value]) => value !== undefined)
    .map(([name, value]) => `${name}: ${value}\r\n`);
  return `${start}\r\n${lines.join("")}\r\n`;
}

/** Connects, sends an upgrade request and reads the head of the answer. */
export async function rawClient(port, headers = {}) {
  const conn = await Deno.connect({ hostname: "127.0.0.1", port });
  const reader = new Reader(conn);
  await write(conn, upgradeRequest(headers));
  return { conn, reader, head: await reader.head() };
}
