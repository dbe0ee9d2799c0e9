// A stand-in for Pusher's service: a channel sends back what a client triggers.
export function channels(socket) {
  const send = (event, channel, data) =>
    socket.send(JSON.stringify({ event, channel, data: JSON.stringify(data) }));
  socket.onmessage = ({ data: message }) => {
    const { event, channel, data } = JSON.parse(message);
    if (event === "pusher:ping") send("pusher:pong", undefined, {});
    if (event === "pusher:subscribe") {
      send("pusher_internal:subscription_succeeded", data.channel, {});
    }
    if (event.startsWith("client-")) send(event, channel, data);
  };
  send("pusher:connection_established", undefined, {
    socket_id: "1.1",
    activity_timeout: 120,
  });
}
