// What the specs about backpressure share.
import { serveEcho } from "../_server.js";

/** To be stopped at the end. */
export const echo = serveEcho();

/** Lets everything that can move move: round trips through the event loop. */
export async function stir(times = 100) {
  const stream = new WebSocketStream(echo.url);
  const { readable, writable } = await stream.opened;
  const reader = readable.getReader();
  const writer = writable.getWriter();
  for (let i = 0; i < times; i++) {
    await writer.write("stir");
    await reader.read();
  }
  stream.close();
  await stream.closed;
}
