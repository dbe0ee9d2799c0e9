// client: isomorphic-ws
import WebSocket from "isomorphic-ws";
import { echo, exercise, serve } from "./_kit.js";

const server = await serve(echo);
await exercise(new WebSocket(`ws://127.0.0.1:${server.port}`));
await server.close();
console.log("ok");
