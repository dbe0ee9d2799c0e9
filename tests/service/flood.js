// Sends 10 GB to a client that calls itself the victim, a part with each message of
// anybody else, which is echoed. Counts what send() says.

const [form, limit] = Deno.args;
const options = {
  backpressureLimit: Number(limit),
  closeOnBackpressureLimit: false,
  idleTimeout: 0,
};
const message = new Uint8Array(1 << 20);
const view = new DataView(message.buffer);

let victim;
let left = 10e9;
let number = 0;
const said = { length: 0, backpressure: 0, refused: 0 };
let isDrainAwaited = false;

function flood() {
  for (let i = 0; i < 100 && left > 0; i++, left -= message.length) {
    view.setUint32(0, number);
    const result = victim.send(message);
    if (result === message.length) said.length++;
    else if (result === -1) said.backpressure++;
    else if (result === 0) said.refused++;
    if (result !== 0) number++;
    isDrainAwaited = true;
  }
}

// All of it to a client that reads, in step with it.
function stream(ws, count) {
  let number = 0;
  let drains = 0;
  const more = () => {
    while (number < count) {
      view.setUint32(0, number);
      const result = ws.send(message);
      if (result !== 0) number++;
      if (result <= 0) return;
    }
    ws.onmore = undefined;
    ws.send(`drains ${drains}`);
  };
  ws.onmore = () => {
    drains++;
    more();
  };
  more();
}

const handlers = {
  message(ws, data) {
    if (data === "victim") {
      victim = ws;
      ws.send("yours");
    } else if (data === "said") {
      ws.send(JSON.stringify({ ...said, queued: victim.bufferedAmount }));
    } else if (data.startsWith("stream ")) {
      stream(ws, Number(data.slice(7)));
    } else {
      if (victim !== undefined) flood();
      ws.send(data);
    }
  },
  drain(ws) {
    ws.onmore?.();
    if (ws === victim && isDrainAwaited) {
      isDrainAwaited = false;
      ws.send("drained");
    }
  },
  close(ws, code) {
    console.log(`closed ${ws === victim} ${code}`);
  },
};

Deno.serve({
  hostname: "127.0.0.1",
  port: 0,
  onListen: ({ port }) => console.log(`listening ${port}`),
  fetch(request, info) {
    if (form === "handlers") {
      info.upgrade(request);
      return;
    }
    const { socket, response } = Deno.upgradeWebSocket(request, options);
    socket.onmessage = ({ data }) => handlers.message(socket, data);
    socket.ondrain = () => handlers.drain(socket);
    socket.onclose = ({ code }) => handlers.close(socket, code);
    return response;
  },
  websocket: form === "handlers" ? { ...options, ...handlers } : undefined,
});
