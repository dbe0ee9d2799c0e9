// A feed of which nobody misses anything: a page that loses its connection gets what was
// posted meanwhile when it is back.
//
//   duplex serve --allow-read --port 8080 examples/feed/server.ts
//
// Then open http://localhost:8080/ in two tabs, cut the connection of one, post in the other
// one, and let the first come back.

const PAGE = `${import.meta.dirname}/index.html`;
const TOPIC = "feed";
const MAX_TEXT = 2000;

interface Reader {
  /** The position of the last message that the page has. */
  since: string | null;
  /** To all pages, this one too: so all see one order. */
  publish: (topic: string, text: string) => number;
}

export default {
  // What is older than this is gone, and the page is told so.
  topics: { history: { size: 1000, ttl: 3600 } },

  async fetch(request, info) {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname === "/feed") {
      const data = {
        since: searchParams.get("since"),
        publish: (topic: string, text: string) => info.publish(topic, text),
      };
      info.upgrade(request, { data });
      return;
    }
    if (pathname === "/") {
      const page = await Deno.open(PAGE);
      return new Response(page.readable, {
        headers: { "content-type": "text/html; charset=utf-8" },
      });
    }
    return new Response("Not found\n", { status: 404 });
  },

  websocket: {
    // No other site's page may post.
    allowedOrigins: ["same-origin"],
    async open(ws) {
      const { since } = ws.data;
      // Whatever was missed has been sent when this resolves, in order.
      const { recovered, position } = await ws.subscribe(TOPIC, { since });
      if (recovered || position === null) return;
      const { epoch, offset } = position;
      const notice = since === null
        ? "welcome"
        : "what was posted before is gone";
      ws.send(`${epoch}-${offset}\n${JSON.stringify({ notice })}`);
    },
    message(ws, text) {
      if (typeof text !== "string" || text.length > MAX_TEXT) {
        ws.close(4000, "a post is text, and not a long one");
        return;
      }
      ws.data.publish(TOPIC, JSON.stringify({ text }));
    },
  },
} satisfies Deno.ServeDefaultExport<Reader>;
