// A script that cannot keep up pauses reading. The peer's messages then wait in
// the kernels of both ends, and in the end the peer has to wait.

import { core, primordials } from "ext:duplex_websocket/00_core.js";
import { CLOSED, NO_ID } from "ext:duplex_websocket/00_numbers.js";
import { _slots } from "ext:duplex_websocket/00_slots.js";

const {
  SafeWeakSet,
  WeakSetPrototypeAdd,
  WeakSetPrototypeDelete,
  WeakSetPrototypeHas,
} = primordials;

/** The sockets that were paused before they had a connection. */
let early;

function setPaused(socket, isPaused) {
  const { id, readyState } = socket[_slots];
  if (id !== NO_ID) {
    core.ops.op_ws_hold_back(id, isPaused);
  } else if (readyState !== CLOSED) {
    early ??= new SafeWeakSet();
    if (isPaused) {
      WeakSetPrototypeAdd(early, socket);
    } else {
      WeakSetPrototypeDelete(early, socket);
    }
  }
}

function isPaused(socket) {
  const { id, readyState } = socket[_slots];
  if (readyState === CLOSED) {
    return false;
  }
  return id === NO_ID
    ? wasPausedEarly(socket)
    : core.ops.op_ws_is_held_back(id);
}

/** Whether `socket` was paused before it had a connection. */
function wasPausedEarly(socket) {
  return early !== undefined && WeakSetPrototypeHas(early, socket);
}

export { isPaused, setPaused, wasPausedEarly };
