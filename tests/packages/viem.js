// client: viem
// The server is a stand-in for a node of Ethereum.
import { createPublicClient, webSocket } from "viem";
import { equal, serve, text } from "./_kit.js";
import { node } from "./_ethereum.js";

const server = await serve(node);
const url = `ws://127.0.0.1:${server.port}`;
const client = createPublicClient({
  transport: webSocket(url, { reconnect: false }),
});
equal(await client.getChainId(), 1);
equal(String(await client.getBlockNumber()), "42");
const long = text.repeat(10_000);
const params = [text, long];
equal(await client.request({ method: "echo", params }), params);
const error = await client.request({ method: "none" }, { retryCount: 0 }).catch(
  (error) => error,
);
equal(error.details, "no method none");
const heads = await new Promise((resolve, reject) => {
  client.transport.subscribe({
    params: ["newHeads"],
    onData: resolve,
    onError: reject,
  })
    .catch(reject);
});
equal(heads.result.number, "0x2b");
(await client.transport.getRpcClient()).close();
await server.close();
console.log("ok");
