// The message about a socket that cannot connect, in a program that does not
// listen for the failure.

import { core, primordials } from "ext:duplex_websocket/00_core.js";
import { hasListeners } from "ext:duplex_websocket/00_event_handlers.js";

const { StringPrototypeCharCodeAt } = primordials;

/**
 * Prints on standard error that `socket` failed to open, if no listener is
 * told.
 */
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
    // Standard error is closed.
  }
}

/**
 * A text that a server may have influenced, without control characters, which a
 * terminal would obey.
 */
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
