// The ops of `01_websocket.js`. A program loads this with its first socket: what is
// in a snapshot has lost V8's fast calls. It is a script since loading a module
// would run microtasks, in the middle of what the program does.

(function () {
  const { core } = __bootstrap;
  const {
    op_ws_attach,
    op_ws_buffered_amount,
    op_ws_check_permission,
    op_ws_close,
    op_ws_create,
    op_ws_is_subscribed,
    op_ws_publish_binary,
    op_ws_publish_text,
    op_ws_remote_addr,
    op_ws_send_arraybuffer,
    op_ws_send_binary,
    op_ws_send_control,
    op_ws_send_text,
    op_ws_set_callbacks,
    op_ws_set_ref,
    op_ws_subscribe,
    op_ws_subscriptions,
    op_ws_terminate,
    op_ws_unsubscribe,
  } = core.ops;
  return {
    op_ws_attach,
    op_ws_buffered_amount,
    op_ws_check_permission,
    op_ws_close,
    op_ws_create,
    op_ws_is_subscribed,
    op_ws_publish_binary,
    op_ws_publish_text,
    op_ws_remote_addr,
    op_ws_send_arraybuffer,
    op_ws_send_binary,
    op_ws_send_control,
    op_ws_send_text,
    op_ws_set_callbacks,
    op_ws_set_ref,
    op_ws_subscribe,
    op_ws_subscriptions,
    op_ws_terminate,
    op_ws_unsubscribe,
  };
})();
