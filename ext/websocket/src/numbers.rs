//! The numbers that Rust and JavaScript share. `00_numbers.js` asks for them when it is loaded, so
//! that no script repeats a number.

use deno_core::{ToV8, op2};
use duplex_protocol::close::{ABNORMAL_CLOSURE, CloseCode};
use duplex_protocol::frame::MAX_CONTROL_PAYLOAD;
use duplex_protocol::session::ReadyState;

use crate::connection::{Backlog, SEND_BUFFERED, SEND_CLOSED, SEND_REFUSED};

/// The result of `op_ws_check_close` if the script may close with this code and
/// this reason.
pub(crate) const CLOSE_ALLOWED: u32 = 0;
/// The result of `op_ws_check_close` if the code is not allowed.
pub(crate) const CLOSE_CODE_REFUSED: u32 = 1;
/// The result of `op_ws_check_close` if the reason is too long.
pub(crate) const CLOSE_REASON_REFUSED: u32 = 2;

/// The result of `op_ws_subscribe_since` if nothing was replayed.
pub(crate) const SUBSCRIBE_FROM_NOW: i32 = 0;
/// The result of `op_ws_subscribe_since` if all missed messages were replayed.
pub(crate) const SUBSCRIBE_RECOVERED: i32 = 1;
/// The result of `op_ws_subscribe_since` if the topics have no history.
pub(crate) const SUBSCRIBE_NO_HISTORY: i32 = 2;
/// The result of `op_ws_subscribe_since` if the connection has ended.
pub(crate) const SUBSCRIBE_ENDED: i32 = 3;
/// The result of `op_ws_subscribe_since` if the script has to call `op_ws_read_log` before.
pub(crate) const SUBSCRIBE_LATER: i32 = 4;

/// All shared numbers, by their names in JavaScript.
#[derive(ToV8)]
pub(crate) struct Numbers {
    connecting: u32,
    open: u32,
    closing: u32,
    closed: u32,
    send_buffered: i32,
    send_refused: i32,
    send_closed: i32,
    backlog_low: u32,
    close_code_refused: u32,
    close_reason_refused: u32,
    subscribe_recovered: i32,
    subscribe_no_history: i32,
    subscribe_ended: i32,
    subscribe_later: i32,
    normal_closure: u32,
    abnormal_closure: u32,
    max_control_payload: u32,
    /// Whether the ops that send text replace lone surrogates by U+FFFD. If not, the script has to
    /// replace them.
    takes_any_text: bool,
}

/// Returns the numbers.
#[op2]
pub(crate) fn op_ws_numbers() -> Numbers {
    Numbers {
        connecting: ReadyState::Connecting as u32,
        open: ReadyState::Open as u32,
        closing: ReadyState::Closing as u32,
        closed: ReadyState::Closed as u32,
        send_buffered: SEND_BUFFERED,
        send_refused: SEND_REFUSED,
        send_closed: SEND_CLOSED,
        backlog_low: Backlog::Low as u32,
        close_code_refused: CLOSE_CODE_REFUSED,
        close_reason_refused: CLOSE_REASON_REFUSED,
        subscribe_recovered: SUBSCRIBE_RECOVERED,
        subscribe_no_history: SUBSCRIBE_NO_HISTORY,
        subscribe_ended: SUBSCRIBE_ENDED,
        subscribe_later: SUBSCRIBE_LATER,
        normal_closure: CloseCode::NORMAL.get().into(),
        abnormal_closure: ABNORMAL_CLOSURE.into(),
        max_control_payload: MAX_CONTROL_PAYLOAD as u32,
        takes_any_text: cfg!(feature = "v8"),
    }
}
