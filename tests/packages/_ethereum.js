// A stand-in for a node of Ethereum. The method "echo" sends its parameters back.
export function node(socket) {
  const send = (message) =>
    socket.send(JSON.stringify({ jsonrpc: "2.0", ...message }));
  socket.onmessage = ({ data }) => {
    for (const { id, method, params } of [JSON.parse(data)].flat()) {
      if (method === "eth_chainId") send({ id, result: "0x1" });
      else if (method === "eth_blockNumber") send({ id, result: "0x2a" });
      else if (method === "echo") send({ id, result: params });
      else if (method === "eth_subscribe") {
        send({ id, result: "0x9" });
        const result = { number: "0x2b" };
        send({
          method: "eth_subscription",
          params: { subscription: "0x9", result },
        });
      } else if (method === "eth_unsubscribe") send({ id, result: true });
      else {send({
          id,
          error: { code: -32601, message: `no method ${method}` },
        });}
    }
  };
}
