// A service for operators: numbers for Prometheus, a dashboard for Grafana, health checks, and
// an image. It counts what duplex cannot know, too.
//
//   duplex serve --port 8000 --metrics 9464 examples/metrics/service.ts
//
//   curl localhost:9464/metrics       the numbers of duplex
//   curl localhost:9464/ready         whether it can be sent work
//   curl localhost:8000/metrics/own   the numbers of this program
//
// README.md beside this file starts all of it in containers.

/** Votes, by what was voted for. */
const votes = new Map<string, number>();
let refused = 0;

const CHOICES = ["tea", "coffee", "water"];

/** The text format of Prometheus. */
function ownNumbers(): string {
  const lines = [
    "# HELP votes_total Votes that were counted.",
    "# TYPE votes_total counter",
    ...CHOICES.map((choice) =>
      `votes_total{choice="${choice}"} ${votes.get(choice) ?? 0}`
    ),
    "# HELP votes_refused_total Messages that were no vote.",
    "# TYPE votes_refused_total counter",
    `votes_refused_total ${refused}`,
  ];
  return lines.join("\n") + "\n";
}

export default {
  fetch(request, server) {
    const { pathname } = new URL(request.url);
    if (pathname === "/metrics/own") {
      return new Response(ownNumbers(), {
        headers: { "content-type": "text/plain; version=0.0.4" },
      });
    }
    if (pathname === "/vote") {
      const publish = (topic: string, text: string) =>
        server.publish(topic, text);
      server.upgrade(request, { data: { publish } });
      return;
    }
    return new Response("Not found\n", { status: 404 });
  },

  websocket: {
    open(ws) {
      ws.subscribe("votes");
    },
    message(ws, choice) {
      if (typeof choice !== "string" || !CHOICES.includes(choice)) {
        refused++;
        ws.send(JSON.stringify({ error: `vote for ${CHOICES.join(", ")}` }));
        return;
      }
      votes.set(choice, (votes.get(choice) ?? 0) + 1);
      ws.data.publish("votes", JSON.stringify(Object.fromEntries(votes)));
    },
  },
} satisfies Deno.ServeDefaultExport<
  { publish: (topic: string, text: string) => number }
>;
