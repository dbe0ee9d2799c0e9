// A debugger, as an editor is: attaches to a program by Chrome's DevTools protocol, and prints
// what it finds. Arguments: the URL, and what to do.
const [url, what] = Deno.args;
const socket = new WebSocket(url);
await new Promise((resolve, reject) => {
  socket.onopen = resolve;
  socket.onerror = ({ message }) => reject(new Error(message));
});

let last = 0;
const answers = new Map();
const events = [];
/** URLs by the ids of scripts. */
const scripts = new Map();
let arrived = () => {};
socket.onmessage = ({ data }) => {
  const message = JSON.parse(data);
  if (message.id !== undefined) return answers.get(message.id)(message);
  if (message.method === "Debugger.scriptParsed") {
    scripts.set(message.params.scriptId, message.params.url);
  }
  events.push(message);
  arrived();
};

function ask(method, params = {}) {
  const id = ++last;
  socket.send(JSON.stringify({ id, method, params }));
  return new Promise((resolve, reject) => {
    answers.set(
      id,
      ({ result, error }) =>
        error ? reject(new Error(error.message)) : resolve(result),
    );
  });
}

/** The next event of this name that has come or comes. */
async function event(method, fits = () => true) {
  for (;;) {
    const index = events.findIndex((event) =>
      event.method === method && fits(event.params)
    );
    if (index >= 0) return events.splice(index, 1)[0].params;
    await new Promise((resolve) => arrived = resolve);
  }
}

const tasks = {
  /** A break point in TypeScript, and a variable there. */
  async breakpoint() {
    await ask("Runtime.enable");
    await ask("Debugger.enable");
    await ask("Debugger.setBreakpointByUrl", {
      urlRegex: ".*program\\.ts",
      lineNumber: 0,
    });
    await ask("Runtime.runIfWaitingForDebugger");
    const { callFrames: [first], reason } = await event("Debugger.paused");
    console.log(
      "paused",
      reason,
      scripts.get(first.location.scriptId).split("/").at(-1),
    );
    const script = await event(
      "Debugger.scriptParsed",
      ({ url }) => url.endsWith("program.ts"),
    );
    const map = JSON.parse(atob(script.sourceMapURL.split(",")[1]));
    console.log(
      "source",
      map.sources[0].split("/").at(-1),
      map.sourcesContent[0].includes("interface Counter"),
    );
    const { scriptSource } = await ask("Debugger.getScriptSource", {
      scriptId: script.scriptId,
    });
    const lineNumber = scriptSource.split("\n").findIndex((line) =>
      line.includes("counter.count = before")
    );
    await ask("Debugger.setBreakpoint", {
      location: { scriptId: script.scriptId, lineNumber },
    });
    await ask("Debugger.resume");
    const { callFrames: [frame] } = await event("Debugger.paused");
    const { result } = await ask("Debugger.evaluateOnCallFrame", {
      callFrameId: frame.callFrameId,
      expression: "`${by} ${before} ${counter.name}`",
    });
    console.log("in", frame.functionName, result.value);
    await ask("Debugger.disable");
  },
  /** The time that functions take, and what is on the heap. */
  async profile() {
    await ask("Profiler.enable");
    await ask("Profiler.start");
    await ask("Runtime.enable");
    await ask("Runtime.runIfWaitingForDebugger");
    const { args } = await event("Runtime.consoleAPICalled");
    console.log("logged", args.map(({ value }) => value).join(" "));
    const { profile } = await ask("Profiler.stop");
    console.log(
      "profile",
      profile.nodes.length > 0,
      profile.endTime > profile.startTime,
    );
    await ask("HeapProfiler.enable");
    let snapshot = "";
    const taken = ask("HeapProfiler.takeHeapSnapshot");
    const chunks = (async () => {
      for (;;) {
        snapshot += (await event("HeapProfiler.addHeapSnapshotChunk")).chunk;
        try {
          return JSON.parse(snapshot).snapshot.node_count;
        } catch {
          // There is more.
        }
      }
    })();
    await taken;
    console.log("heap", await chunks > 1000);
  },
  /** The sockets of both ends, with their frames. */
  async network() {
    await ask("Network.enable");
    await ask("Runtime.enable");
    await ask("Runtime.runIfWaitingForDebugger");
    const { requestId } = await event(
      "Network.webSocketCreated",
      ({ url }) => url.endsWith("/refused"),
    );
    await event(
      "Network.webSocketClosed",
      (params) => params.requestId === requestId,
    );
    const told = [];
    const names = new Map();
    for (const { method, params } of events) {
      if (!method.startsWith("Network.webSocket")) {
        continue;
      }
      const { requestId, response, request } = params;
      if (!names.has(requestId)) {
        names.set(requestId, ["client", "server", "refused"][names.size]);
      }
      const name = method.slice("Network.webSocket".length);
      const payload = response?.payloadData;
      told.push(
        [
          names.get(requestId),
          name,
          request?.headers["x-own"] ?? response?.headers?.["x-own"],
          response?.status,
          response?.opcode,
          response?.mask,
          payload?.length > 100 ? payload.length : payload,
          params.errorMessage,
          name === "Created" ? new URL(params.url).pathname : undefined,
        ].filter((part) => part !== undefined).join(" "),
      );
    }
    // Each socket's are in order, and the sockets' are among each other.
    const isOf = (name) => (line) => line.startsWith(name);
    for (const name of ["client", "server", "refused"]) {
      told.filter(isOf(name)).forEach((line) => console.log(line));
    }
  },
  /** A socket that was open before. */
  async attach() {
    await ask("Network.enable");
    await ask("Runtime.evaluate", { expression: "client.send('now')" });
    const { requestId, response } = await event("Network.webSocketFrameSent");
    const methods = events
      .filter(({ params }) => params?.requestId === requestId)
      .map(({ method }) => method.slice("Network.webSocket".length));
    console.log(response.payloadData, methods.join(" "));
  },
  async evaluate() {
    const { result } = await ask("Runtime.evaluate", {
      expression: "globalThis.secret",
    });
    console.log("value", result.value);
  },
};

await tasks[what]();
socket.close();
