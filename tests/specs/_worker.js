// Workers whose text stands in the spec.
import { once } from "./_assert.js";

/** A module worker that runs `body`, a function or the text of a module. */
export function inline(body, options = {}) {
  const text = typeof body === "function" ? `(${body})();` : body;
  const url = `data:text/javascript,${encodeURIComponent(text)}`;
  return new Worker(url, { type: "module", ...options });
}

/** The data of the next message. */
export async function received(target) {
  return (await once(target, "message")).data;
}

/** The next `error` event, which then has no consequences. */
export async function failed(worker) {
  const event = await new Promise((resolve) => {
    worker.addEventListener("error", (event) => {
      event.preventDefault();
      resolve(event);
    }, { once: true });
  });
  return event;
}

/** A server for the pages of a worker that upgrades; in text, for `inline`. */
export const echoServer = `
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    (request) => {
      const { socket, response } = Deno.upgradeWebSocket(request);
      socket.onmessage = (event) => socket.send(event.data);
      return response;
    },
  );
  postMessage(server.addr.port);
`;
