// The ops that a socket calls most, with V8's fast calls.
//
// This file depends on internals of deno_core. A snapshot cannot hold fast
// calls, so the functions of `core.ops` are slow in a program that starts from
// one. deno_core attaches the fast calls when it loads the first script
// afterwards. Only functions that are taken from `core.ops` after that are
// fast, and the files of this extension are in the snapshot. So these functions
// are taken when the program makes its first socket.

import { core, primordials } from "ext:duplex_websocket/00_core.js";

const { ObjectCreate } = primordials;

/**
 * The members are set here, so that an engine keeps them in fixed places and
 * not in a table.
 */
function FastOps() {
  this.op_ws_attach = undefined;
  this.op_ws_buffered_amount = undefined;
  this.op_ws_close = undefined;
  this.op_ws_publish_text = undefined;
  this.op_ws_send_arraybuffer = undefined;
  this.op_ws_send_binary = undefined;
  this.op_ws_send_text = undefined;
}
FastOps.prototype = ObjectCreate(null);

/** The ops. Each is undefined before `attachFastCalls()`. */
const fastOps = new FastOps();

function attachFastCalls() {
  core.loadExtScript("ext:duplex_websocket/00_attach_fast_calls.js");
  const { ops } = core;
  fastOps.op_ws_attach = ops.op_ws_attach;
  fastOps.op_ws_buffered_amount = ops.op_ws_buffered_amount;
  fastOps.op_ws_close = ops.op_ws_close;
  fastOps.op_ws_publish_text = ops.op_ws_publish_text;
  fastOps.op_ws_send_arraybuffer = ops.op_ws_send_arraybuffer;
  fastOps.op_ws_send_binary = ops.op_ws_send_binary;
  fastOps.op_ws_send_text = ops.op_ws_send_text;
}

export { attachFastCalls, fastOps };
