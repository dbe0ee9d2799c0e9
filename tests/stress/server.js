// The server of the stress program: sockets of all forms, on this thread and on a worker's. The
// query of a socket's URL says what is done with it.
import {
  anomaly,
  publication,
  Receiver,
  Sender,
  stats,
  write,
} from "./session.js";

const OPTIONS = {
  backpressureLimit: 8 << 20,
  closeTimeout: 20,
  // Clients that only read do not answer pings.
  idleTimeout: 120,
  maxPayloadLength: 4 << 20,
  perMessageDeflate: true,
};

function parse(url) {
  const { searchParams } = new URL(url);
  return {
    seed: Number(searchParams.get("seed")),
    count: Number(searchParams.get("count")),
    back: Number(searchParams.get("back")),
    form: searchParams.get("form"),
    end: searchParams.get("end"),
    topic: searchParams.get("topic") !== null,
  };
}

/** A session on a socket, by its events. */
class Session {
  #query;
  #receiver;
  #sender;
  #hasClosed = false;

  constructor(query) {
    this.#query = query;
    this.#receiver = new Receiver(query.seed ^ 0x55, `server ${query.seed}`);
  }

  open(socket) {
    stats.opened++;
    const { count, end, seed, topic } = this.#query;
    if (topic) socket.subscribe("all");
    this.#sender = new Sender(socket, seed, count, () => {
      if (end === "server") socket.close(4000, `${count}`);
      if (end === "terminate") socket.terminate();
    });
  }

  message(data) {
    if (this.#query.end !== "hostile") this.#receiver.take(data);
  }

  close(code, reason) {
    this.#sender.stop();
    if (this.#hasClosed) anomaly(`${this.#query.seed} closed twice`);
    this.#hasClosed = true;
    stats.closed++;
    this.#check(code, reason);
  }

  #check(code, reason) {
    const { back, count, end, seed } = this.#query;
    const said = `${seed} ${end}: ${code} ${reason}`;
    switch (end) {
      case "server":
        if (code !== 4000) anomaly(said);
        break;
      case "client":
        if (
          code !== 4001 || reason !== `${back}` || this.#receiver.count !== back
        ) {
          anomaly(`${said}, ${this.#receiver.count} of ${back}, sent ${count}`);
        }
        break;
      case "terminate":
        if (code !== 1006) anomaly(said);
        break;
    }
  }
}

async function serveStream({ stream, query }) {
  const { back, count, end, seed } = query;
  const receiver = new Receiver(seed ^ 0x55, `stream ${seed}`);
  let opened;
  try {
    opened = await stream.opened;
  } catch {
    return;
  }
  stats.opened++;
  const { readable, writable } = opened;
  const writing = write(writable.getWriter(), seed, count).then(() => {
    if (end === "server") stream.close({ closeCode: 4000, reason: `${count}` });
    if (end === "terminate") stream.close({ closeCode: 4002 });
  });
  const reading = (async () => {
    for await (const data of readable) {
      if (end !== "hostile") receiver.take(data);
    }
  })();
  const results = await Promise.allSettled([stream.closed, reading, writing]);
  stats.closed++;
  const closed = results[0];
  if (end === "client") {
    const { closeCode, reason } = closed.value ?? closed.reason;
    if (
      closed.status !== "fulfilled" || closeCode !== 4001 ||
      reason !== `${back}` || receiver.count !== back
    ) {
      anomaly(`stream ${seed}: ${closeCode} ${reason} ${receiver.count}`);
    }
  }
}

const handlers = {
  open: (ws) => ws.data.open(ws),
  message: (ws, data) => ws.data.message(data),
  drain: (ws) => ws.ondrain?.(),
  close: (ws, code, reason) => ws.data.close(code, reason),
};

function handle(request, info) {
  const { pathname } = new URL(request.url);
  if (pathname === "/stats") {
    return Response.json({ ...stats, rss: Deno.memoryUsage().rss });
  }
  const query = parse(request.url);
  switch (query.form) {
    case "handler":
      if (info.upgrade(request, { data: new Session(query) })) return;
      return new Response(null, { status: 400 });
    case "stream": {
      const { stream, response } = Deno.upgradeWebSocketStream(
        request,
        OPTIONS,
      );
      serveStream({ stream, query });
      return response;
    }
    default: {
      const { socket, response } = Deno.upgradeWebSocket(request, OPTIONS);
      const session = new Session(query);
      socket.onopen = () => session.open(socket);
      socket.onmessage = ({ data }) => session.message(data);
      socket.onclose = ({ code, reason }) => session.close(code, reason);
      return response;
    }
  }
}

const servers = [];

function serve(options) {
  const server = Deno.serve(
    { ...options, onListen() {}, websocket: { ...OPTIONS, ...handlers } },
    handle,
  );
  servers.push({ server, number: 0 });
  return server.addr.port;
}

setInterval(() => {
  for (const topics of servers) {
    topics.server.publish("all", publication(topics.number++));
  }
}, 7);

if (globalThis.Window === undefined) {
  postMessage(serve({ hostname: "127.0.0.1", port: 0 }));
} else {
  const { cert, key, unix } = JSON.parse(Deno.args[0]);
  const worker = new Worker(import.meta.url, { type: "module" });
  worker.onmessage = ({ data }) => {
    serve({ path: unix });
    const ports = {
      tcp: serve({ hostname: "127.0.0.1", port: 0 }),
      tls: serve({ hostname: "127.0.0.1", port: 0, cert, key }),
      worker: data,
    };
    console.log(`listening ${JSON.stringify(ports)}`);
  };
}
