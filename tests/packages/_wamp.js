// A stand-in for a WAMP router, with one client: it is told what it publishes, and
// a call is answered with its arguments.
export function router(socket) {
  const send = (...message) => socket.send(JSON.stringify(message));
  const topics = [];
  socket.onmessage = ({ data }) => {
    const [kind, ...rest] = JSON.parse(data);
    const [request, , name, args] = rest;
    switch (kind) {
      case 1: // HELLO
        return send(2, 1, { roles: { broker: {}, dealer: {} } });
      case 6: // GOODBYE
        return send(6, {}, "wamp.close.goodbye_and_out");
      case 16: // PUBLISH
        send(17, request, 1);
        return send(36, topics.indexOf(name), 1, {}, args);
      case 32: // SUBSCRIBE
        return send(33, request, topics.push(name) - 1);
      case 48: // CALL
        if (name === "fail") return send(8, kind, request, {}, "wrong", args);
        return send(50, request, {}, args);
      default:
        throw new Error(`message ${kind}`);
    }
  };
}
