// client: total5
// server: total5
(async () => {
  const { require } = await import("./_total.js");
  const { equal, event, exit, freePort, inbox, text } = await import("./_kit.js");

  const port = await freePort();
  require("total5");
  const { ON, ROUTE, Total, WEBSOCKETCLIENT } = globalThis;
  ROUTE("SOCKET /echo/ <1MB", (controller) => {
    controller.autodestroy();
    controller.on("message", (client, message) => {
      if (message === "close") client.close(4001, "done");
      else client.send(message);
    });
  });
  const ready = new Promise((resolve) => ON("ready", resolve));
  Total.http({ ip: "127.0.0.1", port, release: true });
  await ready;

  // Messages are JSON, and a client percent-encodes it.
  const socket = new WebSocket(`ws://127.0.0.1:${port}/echo/`);
  await event(socket, "open");
  for (const message of [{ text }, { long: text.repeat(10_000) }]) {
    const answer = event(socket, "message");
    socket.send(encodeURIComponent(JSON.stringify(message)));
    equal(JSON.parse(decodeURIComponent((await answer).data)), message);
  }
  const closed = event(socket, "close");
  socket.send(encodeURIComponent('"close"'));
  equal((await closed).code, 4001);

  const events = inbox();
  WEBSOCKETCLIENT((client) => {
    client.options.masking = true;
    client.options.reconnect = 0;
    client.options.encodedecode = true;
    client.on("open", () => events.push(client));
    client.on("error", events.push);
    client.on("message", events.push);
    client.connect(`ws://127.0.0.1:${port}/echo/`);
  });
  const client = await events.next();
  for (const message of [{ text }, { long: text.repeat(10_000) }]) {
    client.send(message);
    equal(await events.next(), message);
  }
  client.close();
  console.log("ok");
  // The framework keeps its timers.
  exit();
})();
