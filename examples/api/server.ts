// An HTTP API whose clients hear of changes over a WebSocket, for a place behind nginx:
// nginx.conf beside this file.
//
//   duplex serve --host 127.0.0.1 --port 8000 examples/api/server.ts
//
//   curl -d '{"title":"Write"}' localhost:8000/api/tasks
//   curl localhost:8000/api/tasks
//   duplex connect localhost:8000/api/changes
//
// The log has the address of the client, which nginx tells in a header. The header counts only
// if the connection comes from a proxy that is known: anybody can send a header.

interface Task {
  id: number;
  title: string;
  done: boolean;
}

type Server = Deno.FetchHandlerInfo<undefined>;

const TOPIC = "changes";
const MAX_BODY = 64 * 1024;
/** The addresses of the proxies in front. */
const PROXIES = new Set(["127.0.0.1", "::1"]);

// A real service has a database.
const tasks = new Map<number, Task>();
let lastId = 0;

/** The client's address: the last one in the header, which the proxy itself has seen. */
function clientOf(request: Request, server: Server): string {
  const { hostname } = server.remoteAddr;
  if (!PROXIES.has(hostname)) return hostname;
  const addresses = request.headers.get("x-forwarded-for")?.split(",");
  return addresses?.at(-1)?.trim() || hostname;
}

/** An answer that is no success. */
class Refusal extends Error {
  constructor(readonly status: number, message: string) {
    super(message);
  }
}

async function body(request: Request): Promise<Partial<Task>> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of request.body ?? []) {
    length += chunk.length;
    if (length > MAX_BODY) throw new Refusal(413, "the body is too long");
    chunks.push(chunk);
  }
  let value: unknown;
  try {
    value = JSON.parse(await new Blob(chunks as BlobPart[]).text());
  } catch {
    throw new Refusal(400, "the body is no JSON");
  }
  if (typeof value !== "object" || value === null) {
    throw new Refusal(400, "the body is no object");
  }
  return value;
}

function tell(server: Server, change: string, task: Task) {
  server.publish(TOPIC, JSON.stringify({ change, task }));
}

function find(id: string): Task {
  const task = tasks.get(Number(id));
  if (task === undefined) throw new Refusal(404, "there is no such task");
  return task;
}

/** Answers with JSON, and logs who asked. */
function api<Request_ extends Request>(
  answer: (request: Request_, server: Server) => unknown,
) {
  return async (request: Request_, server: Server): Promise<Response> => {
    let status = 200;
    let value: unknown;
    try {
      value = await answer(request, server);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      status = error.status;
      value = { error: error.message };
    }
    const { pathname } = new URL(request.url);
    console.log(clientOf(request, server), request.method, pathname, status);
    return Response.json(value, { status });
  };
}

type WithId = Request & { params: Record<string, string> };

export default {
  routes: {
    "/api/tasks": {
      GET: api(() => [...tasks.values()]),
      POST: api(async (request, server) => {
        const { title } = await body(request);
        if (typeof title !== "string" || title === "") {
          throw new Refusal(400, "a task needs a title");
        }
        const task = { id: ++lastId, title, done: false };
        tasks.set(task.id, task);
        tell(server, "added", task);
        return task;
      }),
    },
    "/api/tasks/:id": {
      PATCH: api(async (request: WithId, server) => {
        const task = find(request.params.id);
        const { title, done } = await body(request);
        if (typeof title === "string" && title !== "") task.title = title;
        if (typeof done === "boolean") task.done = done;
        tell(server, "changed", task);
        return task;
      }),
      DELETE: api((request: WithId, server) => {
        const task = find(request.params.id);
        tasks.delete(task.id);
        tell(server, "removed", task);
        return task;
      }),
    },
  },

  fetch(request, server) {
    if (new URL(request.url).pathname === "/api/changes") {
      server.upgrade(request);
      return;
    }
    return Response.json({ error: "not found" }, { status: 404 });
  },

  websocket: {
    // Pages of other sites hear nothing. nginx passes the header Host on.
    allowedOrigins: ["same-origin"],
    open(ws) {
      // First all that there is, then what changes.
      ws.send(JSON.stringify({ tasks: [...tasks.values()] }));
      ws.subscribe(TOPIC);
    },
    message(ws) {
      ws.close(4000, "changes are made over HTTP");
    },
  },
} satisfies Deno.ServeDefaultExport;
