// client: ably
// The server is a stand-in: Ably is a service.
import Ably from "ably";
import { equal, inbox, serve, text } from "./_kit.js";

// The numbers of their protocol.
const [
  HEARTBEAT,
  ACK,
  CONNECTED,
  CLOSE,
  CLOSED,
  ATTACH,
  ATTACHED,
  DETACH,
  DETACHED,
  MESSAGE,
] = [
  0,
  1,
  4,
  7,
  8,
  10,
  11,
  12,
  13,
  15,
];
const [PUBLISH, SUBSCRIBE] = [1 << 17, 1 << 18];
const server = await serve((socket) => {
  const send = (message) => socket.send(JSON.stringify(message));
  socket.onmessage = ({ data }) => {
    const { action, channel, msgSerial, messages } = JSON.parse(data);
    if (action === HEARTBEAT) send({ action });
    if (action === CLOSE) send({ action: CLOSED });
    if (action === ATTACH) {
      send({ action: ATTACHED, channel, flags: PUBLISH | SUBSCRIBE });
    }
    if (action === DETACH) send({ action: DETACHED, channel });
    if (action === MESSAGE) {
      send({ action: ACK, msgSerial, count: 1 });
      send({
        action: MESSAGE,
        channel,
        id: `i:${msgSerial}`,
        connectionId: "c",
        messages,
      });
    }
  };
  const connectionDetails = {
    connectionKey: "k",
    maxMessageSize: 1e6,
    maxIdleInterval: 15_000,
  };
  send({ action: CONNECTED, connectionId: "c", connectionDetails });
});
const client = new Ably.Realtime({
  authCallback: (_, callback) => callback(null, "token"),
  endpoint: "127.0.0.1",
  port: server.port,
  tls: false,
  useBinaryProtocol: false,
  fallbackHosts: [],
  disableConnectivityCheck: true,
});
const { current } = await client.connection.whenState("connected");
equal(current, "connected");
const channel = client.channels.get("room");
const news = inbox();
await channel.subscribe("news", ({ data }) => news.push(data));
const long = text.repeat(10_000);
for (const message of [text, { long }]) {
  await channel.publish("news", message);
  equal(await news.next(), message);
}
await channel.detach();
const closed = client.connection.whenState("closed");
client.close();
await closed;
await server.close();
console.log("ok");
