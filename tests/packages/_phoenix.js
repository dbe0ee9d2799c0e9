// A stand-in for Phoenix's channels, in version 2 of their serializer: each message
// is a JSON array, or binary with the lengths of its parts in front.
const PUSH = 0;
const REPLY = 1;
// Of Supabase.
const BROADCAST_PUSH = 3;
const BROADCAST = 4;

export function channels(socket) {
  const binary = (push) => {
    if (push[0] === PUSH) return socket.send(reply(push));
    if (push[0] !== BROADCAST_PUSH) throw new Error(`kind ${push[0]}`);
    const [joinLength, refLength, topicLength] = push.subarray(1);
    const names = new TextDecoder().decode(push.subarray(7));
    const join = names.slice(0, joinLength);
    const ref = names.slice(joinLength, joinLength + refLength);
    const topic = names.slice(
      joinLength + refLength,
      joinLength + refLength + topicLength,
    );
    send(join, ref, topic, "phx_reply", { status: "ok", response: {} });
    const rest = push.subarray(7 + joinLength + refLength);
    socket.send(new Uint8Array([BROADCAST, ...push.subarray(3, 7), ...rest]));
  };
  const send = (...message) => socket.send(JSON.stringify(message));
  socket.onmessage = ({ data }) => {
    if (typeof data !== "string") return binary(new Uint8Array(data));
    const [join, ref, topic, event, payload] = JSON.parse(data);
    const answer = (status, response) =>
      send(join, ref, topic, "phx_reply", { status, response });
    if (event === "tell") send(join, null, topic, "news", payload);
    if (event === "broadcast") send(null, null, topic, event, payload);
    else answer(event === "fail" ? "error" : "ok", payload);
    if (event === "phx_leave") send(join, ref, topic, "phx_close", {});
  };
}

// The answer to a binary push has the same payload.
function reply(push) {
  const lengths = [...push.subarray(1, 5)];
  const [join, ref, topic, event] = lengths;
  const names = push.subarray(5, 5 + join + ref + topic);
  const payload = push.subarray(5 + join + ref + topic + event);
  const status = new TextEncoder().encode("ok");
  return new Uint8Array([
    REPLY,
    join,
    ref,
    topic,
    status.length,
    ...names,
    ...status,
    ...payload,
  ]);
}
