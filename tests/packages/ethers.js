// client: ethers
// The server is a stand-in for a node of Ethereum.
import { WebSocketProvider } from "ethers";
import { equal, event, serve, text } from "./_kit.js";
import { node } from "./_ethereum.js";

const server = await serve(node);
const provider = new WebSocketProvider(`ws://127.0.0.1:${server.port}`);
equal(String((await provider.getNetwork()).chainId), "1");
equal(await provider.getBlockNumber(), 42);
const long = text.repeat(10_000);
equal(await provider.send("echo", [text, long]), [text, long]);
const error = await provider.send("none", []).catch((error) => error);
equal(error.error.message, "no method none");
equal(await new Promise((resolve) => provider.once("block", resolve)), 43);
const closed = event(provider.websocket, "close");
await provider.destroy();
await closed;
await server.close();
console.log("ok");
