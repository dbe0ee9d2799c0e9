// The numbers that Rust and JavaScript share. src/numbers.rs defines them.

import { core } from "ext:duplex_websocket/00_core.js";

const {
  connecting: CONNECTING,
  open: OPEN,
  closing: CLOSING,
  closed: CLOSED,
  sendBuffered: SEND_BUFFERED,
  sendRefused: SEND_REFUSED,
  sendClosed: SEND_CLOSED,
  backlogLow: BACKLOG_LOW,
  closeCodeRefused: CLOSE_CODE_REFUSED,
  closeReasonRefused: CLOSE_REASON_REFUSED,
  subscribeRecovered: SUBSCRIBE_RECOVERED,
  subscribeNoHistory: SUBSCRIBE_NO_HISTORY,
  subscribeEnded: SUBSCRIBE_ENDED,
  subscribeLater: SUBSCRIBE_LATER,
  normalClosure: NORMAL_CLOSURE,
  abnormalClosure: ABNORMAL_CLOSURE,
  maxControlPayload: MAX_CONTROL_PAYLOAD,
  takesAnyText: TAKES_ANY_TEXT,
} = core.ops.op_ws_numbers();

/** The id of an object that has no connection. Rust gives ids from 0 on. */
const NO_ID = -1;

export {
  ABNORMAL_CLOSURE,
  BACKLOG_LOW,
  CLOSE_CODE_REFUSED,
  CLOSE_REASON_REFUSED,
  CLOSED,
  CLOSING,
  CONNECTING,
  MAX_CONTROL_PAYLOAD,
  NO_ID,
  NORMAL_CLOSURE,
  OPEN,
  SEND_BUFFERED,
  SEND_CLOSED,
  SEND_REFUSED,
  SUBSCRIBE_ENDED,
  SUBSCRIBE_LATER,
  SUBSCRIBE_NO_HISTORY,
  SUBSCRIBE_RECOVERED,
  TAKES_ANY_TEXT,
};
