// Sec-WebSocket-Protocol, as a server reads it.

import { TOKEN } from "node:internal/http_parser";

/**
 * The names in the header, in order.
 *
 * @throws {SyntaxError} where one is no token or stands twice
 * @returns {Set<string>}
 */
function parse(header) {
  const names = new Set();
  for (const part of header.split(",")) {
    const name = part.replace(/^[ \t]+|[ \t]+$/g, "");
    if (!TOKEN.test(name)) {
      throw new SyntaxError(`"${name}" is no subprotocol`);
    }
    if (names.has(name)) {
      throw new SyntaxError(`The "${name}" subprotocol is duplicated`);
    }
    names.add(name);
  }
  return names;
}

export { parse };
