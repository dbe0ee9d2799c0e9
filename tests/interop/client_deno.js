// The client in duplex and in Deno: the same script for both.
import { run } from "./client.js";

const [url, serverPings] = Deno.args;
await run(WebSocket, url, serverPings === "pings");
