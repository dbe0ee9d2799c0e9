// Encodes and decodes frames for scripts that read and write the stream of
// their WebSocket themselves, as std/ws does.

import { core } from "ext:core/mod.js";

const {
  op_ws_accept_key,
  op_ws_codec_create,
  op_ws_codec_decode,
  op_ws_codec_encode,
} = core.ops;

const OPCODES = {
  ERROR: 0,
  TEXT: 1,
  BINARY: 2,
  CLOSE: 8,
  PING: 9,
  PONG: 10,
};

class Codec {
  #codec;

  /** @param {{ isServer: boolean }} options */
  constructor({ isServer }) {
    this.#codec = op_ws_codec_create(isServer);
  }

  /**
   * Returns the messages and control frames that `bytes` completes, in order,
   * and as the last item an error if there is one.
   *
   * @returns {{ opcode: number, data: ArrayBuffer, code: number, message?:
   *   string }[]} `code` is the code of a Close frame (1005 if it has none), or
   *   after an error the code to close with
   */
  decode(bytes) {
    const flat = op_ws_codec_decode(this.#codec, bytes);
    const events = [];
    for (let i = 0; i < flat.length; i += 4) {
      events.push({
        opcode: flat[i],
        data: flat[i + 1],
        code: flat[i + 2],
        message: flat[i + 3],
      });
    }
    return events;
  }

  /** Encodes a whole message as one frame, or a control frame. */
  encode(opcode, bytes) {
    return new Uint8Array(op_ws_codec_encode(this.#codec, opcode, bytes));
  }
}

/** The payload of a Close frame. It is empty if there is no code. */
function closePayload(code, reason = new Uint8Array()) {
  if (code === undefined) {
    return new Uint8Array();
  }
  const payload = new Uint8Array(2 + reason.length);
  payload[0] = code >> 8;
  payload[1] = code & 0xff;
  payload.set(reason, 2);
  return payload;
}

const acceptKey = (key) => op_ws_accept_key(key);

export { acceptKey, closePayload, Codec, OPCODES };
