// What is said of a socket that cannot connect, in a program that would not hear of it.

import { core, primordials } from "ext:core/mod.js";
import { hasListeners } from "ext:duplex_websocket/00_event_handlers.js";

const { StringPrototypeCharCodeAt } = primordials;

/** Tells on standard error that `socket` failed to open, if nothing listens for that. */
function reportUnheard(socket, url, { message }) {
  if (hasListeners(socket, "error") || hasListeners(socket, "close")) {
    return;
  }
  try {
    core.print(
      `WebSocket connection to '${url}' failed: ${printable(message)}\n`,
      true,
    );
  } catch {
    // Nobody reads it.
  }
}

/** What a server has a part in, without what a terminal would act on. */
function printable(text) {
  let result = "";
  for (let i = 0; i < text.length; i++) {
    const code = StringPrototypeCharCodeAt(text, i);
    const isControl = code < 0x20 || (code >= 0x7f && code < 0xa0);
    result += isControl ? " " : text[i];
  }
  return result;
}

export { reportUnheard };
