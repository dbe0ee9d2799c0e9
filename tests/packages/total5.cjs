// client: total5
// server: total5
(async () => {
  const { require } = await import("./_total.js");
  const { equal, event, exit, freePort, inbox, text } = await import(
    "./_kit.js"
  );

  const port = await freePort();
  require("total5");
  const { ON, ROUTE, Total, WEBSOCKETCLIENT } = globalThis;
  const ready = new Promise((resolve) => ON("ready", resolve));
  Total.http({ ip: "127.0.0.1", port, release: true });
  await ready;
  ROUTE("SOCKET /echo/ <1MB", (controller) => {
    controller.on("message", (client, message) => {
      if (message === "close") client.close(4001, "done");
      else client.send(message);
    });
  });

  // Messages are JSON.
  // It says that it is ready before it listens.
  let socket;
  for (let opened = false; !opened;) {
    socket = new WebSocket(`ws://127.0.0.1:${port}/echo/`);
    opened = await event(socket, "open").catch(() => false);
  }
  for (const message of [{ text }, { long: text.repeat(10_000) }]) {
    const answer = event(socket, "message");
    socket.send(JSON.stringify(message));
    equal(JSON.parse((await answer).data), message);
  }
  const closed = event(socket, "close");
  socket.send('"close"');
  equal((await closed).code, 4001);

  const events = inbox();
  WEBSOCKETCLIENT((client) => {
    client.options.masking = true;
    client.options.reconnect = 0;
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
