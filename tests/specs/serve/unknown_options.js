// flags: --allow-net=127.0.0.1
// deno: ignores what it does not know
// Options that do not exist are refused by name, with the nearest one that does.
import { assertEquals, assertThrows } from "../_assert.js";

const onListen = () => {};
const fetch = () => new Response();
const refused = (options, text) =>
  assertThrows(
    () => Deno.serve({ hostname: "127.0.0.1", port: 0, onListen, ...options }),
    "TypeError",
    text,
  );
refused({ fetch, prot: 1 }, "there is no option `prot`, did you mean `port`?");
refused({ handler: fetch, hostName: "a" }, "did you mean `hostname`?");
refused({ fetch, wibble: 1 }, "there is no option `wibble`; there are");
refused({ fetch, idleTimeout: 5 }, "`idleTimeout` is not supported: ");
refused({ handler: fetch, tls: {} }, "`tls` is not supported: use `cert`");
refused({ fetch, automaticCompression: true }, "`automaticCompression`");
refused({ fetch, tls: { cert: "", kye: "" } }, "did you mean `key`?");
refused(
  { fetch, websocket: { mesage() {} } },
  "websocket: there is no option `mesage`, did you mean `message`?",
);
refused(
  { fetch, websocket: { maxPayload: 5 } },
  "did you mean `maxPayloadLength`?",
);
refused(
  { fetch, websocket: { perMessageDeflate: { treshold: 5 } } },
  "perMessageDeflate: there is no option `treshold`, did you mean `threshold`?",
);
refused(
  { fetch, websocket: { perMessageDeflate: { compress: "shared" } } },
  "perMessageDeflate: the option `compress` is not supported: ",
);
refused({ fetch, routes: { users: fetch } }, '"users" must begin with /');
refused({ fetch, routes: { "/*/a": fetch } }, "must have * at its end alone");
refused({ fetch, routes: { "/a": { FETCH: fetch } } }, '["/a"].FETCH');
refused({ fetch, routes: { "/a": 5 } }, "must be a function, a Response");
refused({}, "handler must be a function, received undefined");
refused({ handler: 5 }, "handler must be a function, received number");
refused({ fetch: 5 }, "fetch must be a function, received number");

// What is undefined is not there.
const server = Deno.serve(
  { hostname: "127.0.0.1", port: 0, onListen, wibble: undefined },
  (request) => {
    assertThrows(
      () => Deno.upgradeWebSocket(request, { idletimeout: 1 }),
      "TypeError",
      "did you mean `idleTimeout`?",
    );
    return new Response("seen");
  },
);
const response = await globalThis.fetch(
  `http://127.0.0.1:${server.addr.port}/`,
);
assertEquals(await response.text(), "seen");
await server.shutdown();

for (
  const [options, text] of [
    [{ protocol: "a" }, "`protocol` is not supported: use `protocols`"],
    [{ header: {} }, "`header` is not supported: use `headers`"],
    [{ maxPayloadLenght: 1 }, "did you mean `maxPayloadLength`?"],
  ]
) {
  for (const Socket of [WebSocket, WebSocketStream]) {
    assertThrows(
      () => new Socket("ws://127.0.0.1:1/", options),
      "TypeError",
      text,
    );
  }
}

// An application has members of its own.
class Application {
  hostname = "127.0.0.1";
  port = 0;
  onListen = onListen;
  version = "1";
  get() {}
  fetch() {
    return new Response("application");
  }
}
const application = Deno.serve(new Application());
const answer = await globalThis.fetch(
  `http://127.0.0.1:${application.addr.port}/`,
);
assertEquals(await answer.text(), "application");
await application.stop();
console.log("ok");
