// The ops of `01_websocket.js`. A program loads this with its first socket: what is
// in a snapshot has lost V8's fast calls.

import { core } from "ext:core/mod.js";

export const {
  op_ws_attach,
  op_ws_buffered_amount,
  op_ws_check_permission,
  op_ws_close,
  op_ws_create,
  op_ws_send_arraybuffer,
  op_ws_send_binary,
  op_ws_send_text,
  op_ws_set_callbacks,
} = core.ops;
