// What becomes of what is queued for a client that reads slowly. The path says what is sent.

const options = JSON.parse(Deno.args[0] ?? "{}");
const LONG = 8 << 20;

const sends = {
  // More than the kernel takes, and nothing else.
  "/long": (socket) => socket.send(new Uint8Array(LONG)),
  // And the Close frame.
  "/close": (socket) => {
    socket.send(new Uint8Array(LONG));
    socket.close(1000, "bye");
  },
  // And one message too many.
  "/limit": (socket) => {
    socket.send(new Uint8Array(LONG));
    socket.send("too many");
  },
  // Without end, a part of it queued at all times.
  "/steady": (socket) => {
    const timer = setInterval(() => {
      if (socket.readyState !== WebSocket.OPEN) return clearInterval(timer);
      while (socket.bufferedAmount < 3e6) socket.send(new Uint8Array(50_000));
    }, 1);
  },
  "/numbers": (socket) => {
    numbered.push(socket);
    socket.number = 0;
    socket.ondrain = () => socket.send(`${socket.number++} drained`);
    if (numbered.length === Number(Deno.args[1])) sendNumbers();
  },
};

// A short message and one that is too long for the kernel from a timer, then a busy script;
// meanwhile the kernel has room, and drain has each socket send more.
const numbered = [];
function sendNumbers() {
  let ticks = 0;
  const timer = setInterval(() => {
    if (++ticks === 100) {
      clearInterval(timer);
      console.log("sent");
      for (const socket of numbered) socket.close(1000, `${socket.number}`);
      return;
    }
    for (const socket of numbered) {
      socket.send(`${socket.number++} tick`);
      const length = (1 + (ticks + socket.number) % 3) << 20;
      socket.send(new Uint8Array(length));
    }
    const end = performance.now() + 15;
    while (performance.now() < end);
  }, 40);
}

Deno.serve({
  hostname: "127.0.0.1",
  port: 0,
  onListen: ({ port }) => console.log(`listening ${port}`),
}, (request) => {
  const { pathname } = new URL(request.url);
  const { socket, response } = Deno.upgradeWebSocket(request, options);
  socket.onopen = () => sends[pathname](socket);
  socket.onclose = ({ code, wasClean }) =>
    console.log(`closed ${code} ${wasClean}`);
  return response;
});
