// A chat room: serves its page, and sends what one visitor says to all.
//
//   duplex run --allow-net --allow-read examples/chat/server.ts [PORT]
//
// Then open http://127.0.0.1:8080/ in two tabs.

interface Said {
  from: string;
  text: string;
}

const PAGE = `${import.meta.dirname}/index.html`;
const MAX_TEXT = 2000;
const visitors = new Map<WebSocket, string>();

function tell(message: Said, to: Iterable<WebSocket> = visitors.keys()) {
  const text = JSON.stringify(message);
  for (const socket of to) {
    if (socket.readyState === WebSocket.OPEN) socket.send(text);
  }
}

function enter(socket: WebSocket, name: string) {
  socket.onopen = () => {
    visitors.set(socket, name);
    tell({ from: "", text: `${name} came in` });
  };
  socket.onmessage = ({ data }) => {
    if (typeof data !== "string" || data.length > MAX_TEXT) {
      socket.close(4000, "a message is text, and not a long one");
      return;
    }
    tell({ from: name, text: data });
  };
  socket.onclose = () => {
    if (visitors.delete(socket)) tell({ from: "", text: `${name} left` });
  };
}

async function handler(request: Request): Promise<Response> {
  const { pathname, searchParams } = new URL(request.url);
  if (pathname === "/chat") {
    if (request.headers.get("upgrade")?.toLowerCase() !== "websocket") {
      return new Response("Please come with a WebSocket.\n", { status: 426 });
    }
    // No other site's page may speak for a visitor.
    const { socket, response } = Deno.upgradeWebSocket(request, {
      allowedOrigins: ["same-origin"],
    });
    enter(socket, (searchParams.get("name") || "somebody").slice(0, 40));
    return response;
  }
  if (pathname === "/") {
    const page = await Deno.open(PAGE);
    return new Response(page.readable, {
      headers: { "content-type": "text/html; charset=utf-8" },
    });
  }
  return new Response("Not found\n", { status: 404 });
}

const port = Number(Deno.args[0] ?? 8080);
const onListen = ({ port }: { port: number }) => {
  console.log(`open http://127.0.0.1:${port}/ in two tabs`);
};
Deno.serve({ hostname: "127.0.0.1", port, onListen }, handler);
