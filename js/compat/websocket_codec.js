// Frames for scripts that own the stream of their WebSocket: `ws` and std/ws.

import { core } from "ext:core/mod.js";

const { convertLimits, convertPerMessageDeflate } = core.loadExtScript(
  "ext:duplex_websocket/00_options.js",
);

const {
  op_ws_accept_key,
  op_ws_codec_create,
  op_ws_codec_decode,
  op_ws_codec_encode,
  op_ws_deflate_accept,
  op_ws_deflate_check,
  op_ws_deflate_offer,
} = core.ops;

const OPCODES = {
  ERROR: 0,
  TEXT: 1,
  BINARY: 2,
  CLOSE: 8,
  PING: 9,
  PONG: 10,
};

/** How a frame is masked: by the role, or against it for tests of a peer. */
const MASK_NONE = 0;
const MASK_GIVEN = 2;
const MASK_BY_ROLE = 3;

const CONTINUATION = 0;

class Codec {
  #codec;
  // Whether the last data frame left its message open.
  #isFragmented = false;

  /**
   * @param {{
   *   isServer: boolean,
   *   agreed?: string | null,
   *   perMessageDeflate?: PerMessageDeflateOptions | boolean,
   * } & LimitOptions} options `agreed` is what the handshake agreed on, as in
   *   Sec-WebSocket-Extensions
   */
  constructor(options) {
    this.#codec = op_ws_codec_create(
      options.isServer,
      options.agreed ?? null,
      convertPerMessageDeflate(options.perMessageDeflate, "WebSocket"),
      convertLimits(options, "WebSocket"),
    );
  }

  /**
   * What `bytes` completes, in order: messages, control frames, and an error at the
   * end if there is one.
   *
   * @returns {{ opcode: number, data: ArrayBuffer | string, code: number,
   *   message?: string }[]} `code` is that of a Close frame (1005 without one)
   *   or the one to close with; for an error, `data` is its name
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

  /**
   * A text or binary message, or with `fin` false a fragment of one; the kind of the
   * first fragment is the message's.
   */
  encodeData(
    opcode,
    bytes,
    { fin = true, compress = false, mask = MASK_BY_ROLE, key = 0 } = {},
  ) {
    const isFirst = !this.#isFragmented;
    this.#isFragmented = !fin;
    return this.#encode(
      isFirst ? opcode : CONTINUATION,
      bytes,
      fin,
      compress && isFirst,
      mask,
      key,
    );
  }

  /** A control frame. */
  encodeControl(opcode, bytes, { mask = MASK_BY_ROLE, key = 0 } = {}) {
    return this.#encode(opcode, bytes, true, false, mask, key);
  }

  #encode(opcode, bytes, fin, compress, mask, key) {
    return new Uint8Array(
      op_ws_codec_encode(
        this.#codec,
        opcode,
        fin,
        compress,
        mask,
        key,
        bytes,
      ),
    );
  }
}

/** The payload of a Close frame; without a code it is empty. */
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

/** A server's answer to the header Sec-WebSocket-Extensions, or null. */
function acceptDeflate(offers, options) {
  return op_ws_deflate_accept(
    offers,
    convertPerMessageDeflate(options, "WebSocket"),
  ) ?? null;
}

/** A client's header Sec-WebSocket-Extensions. */
function offerDeflate(options) {
  return op_ws_deflate_offer(convertPerMessageDeflate(options, "WebSocket"));
}

/** Checks the server's answer to it, and returns what is agreed on, or null. */
function checkDeflate(answer, options) {
  return op_ws_deflate_check(
    answer,
    convertPerMessageDeflate(options, "WebSocket"),
  ) ?? null;
}

const acceptKey = (key) => op_ws_accept_key(key);

export {
  acceptDeflate,
  acceptKey,
  checkDeflate,
  closePayload,
  Codec,
  MASK_BY_ROLE,
  MASK_GIVEN,
  MASK_NONE,
  offerDeflate,
  OPCODES,
};
