// flags: --allow-net=localhost:1
// deno: it panics where the URL that is dialled is not the one that was checked
// What is dialled is what was checked, whatever a script replaces.
import { done, escaped, refused, root, trap } from "./_attempt.js";

const allowed = "ws://localhost:1/";
const wanted = `ws://${trap}/`;
const own = Object.getOwnPropertyDescriptors(URL.prototype);

function settle(socket) {
  return new Promise((resolve) => {
    socket.onopen = () => {
      escaped("a socket opened", socket.url);
      resolve();
    };
    socket.onclose = resolve;
  });
}

// Each accessor of a URL lies, at each time that it is asked.
for (const name of Object.keys(own)) {
  const { get, set } = own[name];
  if (get === undefined) continue;
  for (let truths = 0; truths < 6; truths++) {
    let asked = 0;
    const lie = () => {
      switch (name) {
        case "host":
          return trap;
        case "hostname":
          return trap.split(":")[0];
        case "port":
          return trap.split(":")[1];
        default:
          return wanted;
      }
    };
    Object.defineProperty(URL.prototype, name, {
      configurable: true,
      set,
      get() {
        return asked++ < truths ? Reflect.apply(get, this, []) : lie();
      },
    });
    try {
      await settle(new WebSocket(allowed));
    } catch {
      // Refused.
    }
    try {
      await new WebSocketStream(allowed).opened;
      escaped("a stream opened", name);
    } catch {
      // Refused.
    }
    Object.defineProperty(URL.prototype, name, own[name]);
  }
}

// Values that change from one look to the next.
function changing(first, later) {
  let looks = 0;
  return {
    toString: () => looks++ === 0 ? first : later,
  };
}
try {
  await settle(new WebSocket(changing(allowed, wanted)));
} catch {
  // Refused.
}
await refused(
  "a stream",
  () => new WebSocketStream(changing(allowed, wanted)).opened,
  {
    others: true,
  },
);
await refused(
  "fetch",
  () => fetch(changing("http://localhost:1/", `http://${trap}/`)),
  {
    others: true,
  },
);
for (const kind of ["url", "transport", "hostname", "port", "path"]) {
  let looks = 0;
  const proxy = {
    url: "http://localhost:1/",
    hostname: "localhost",
    port: 1,
    transport: "http",
    path: `${root}/work/none.sock`,
  };
  const lies = {
    url: `http://${trap}/`,
    transport: "tcp",
    hostname: trap.split(":")[0],
    port: Number(trap.split(":")[1]),
    path: `${root}/work/other.sock`,
  };
  const real = proxy[kind];
  Object.defineProperty(proxy, kind, {
    enumerable: true,
    get: () => looks++ === 0 ? real : lies[kind],
  });
  for (const shape of [proxy, new Proxy(proxy, {})]) {
    try {
      const client = Deno.createHttpClient({ proxy: shape });
      await settle(new WebSocket(allowed, { client }));
      client.close();
    } catch {
      // Refused.
    }
  }
}
await refused("connect", () => {
  let looks = 0;
  return Deno.connect({
    hostname: "localhost",
    get port() {
      return looks++ === 0 ? 1 : Number(trap.split(":")[1]);
    },
  });
}, { others: true });
for (const url of [wanted, `wss://${trap}/`, `http://${trap}/`]) {
  await refused(url, () => new WebSocket(url));
  await refused(url, () => new WebSocketStream(url).opened);
}
for (
  const url of [`ws://user:password@${trap}/`, `ws://localhost:1@${trap}/`]
) {
  await refused(url, () => new WebSocket(url));
}
done();
