// The client in duplex and in Deno, which leaves the option unread: the same
// script for both.
import { perMessageDeflate, run } from "./client.js";

const [url, serverPings, compression] = Deno.args;
const options = { perMessageDeflate: perMessageDeflate(compression) };
const dial = (protocols) => new WebSocket(url, { protocols, ...options });
await run(dial, serverPings === "pings");
