//! The numbers that Rust and JavaScript share. The scripts ask for them when they are loaded, so
//! that no number is written twice.

use deno_core::ToV8;
use deno_core::op2;

use crate::event_loops::MAX_LOOPS;
use crate::exchange::Outcome;
use crate::server::EVENT_ENDED;
use crate::server::EVENT_OPENED;
use crate::server::EVENT_REQUEST;

/// The id of an exchange that does not exist.
const NO_EXCHANGE: u32 = 0;
/// The id of a WebSocket connection that does not exist.
pub(crate) const NO_CONNECTION: i32 = -1;

/// All shared numbers, by their names in JavaScript.
#[derive(ToV8)]
pub(crate) struct Numbers {
    event_request: i32,
    event_ended: i32,
    event_opened: i32,
    outcome_sent: u32,
    outcome_pending: u32,
    no_exchange: u32,
    no_connection: i32,
    max_loops: u32,
}

/// Returns the numbers.
#[op2]
pub(crate) fn op_http_numbers() -> Numbers {
    Numbers {
        event_request: EVENT_REQUEST,
        event_ended: EVENT_ENDED,
        event_opened: EVENT_OPENED,
        outcome_sent: Outcome::Sent as u32,
        outcome_pending: Outcome::Pending as u32,
        no_exchange: NO_EXCHANGE,
        no_connection: NO_CONNECTION,
        max_loops: MAX_LOOPS as u32,
    }
}
