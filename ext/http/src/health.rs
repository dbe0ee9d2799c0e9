//! Whether the program can do its work: what a load balancer or an orchestrator asks.

use duplex_broker::State;

use crate::broker;
use crate::progress;
pub use crate::progress::note_ending;
pub use crate::progress::note_started;

/// Whether the program can be sent work: at least one server listens, or there never was one
/// and the main module has been evaluated; the program was not told to end; and each broker is
/// connected and has all subscriptions.
///
/// # Errors
///
/// Why it cannot, in one line.
pub fn ready() -> Result<(), String> {
    if let Some(obstacle) = progress::obstacle() {
        return Err(obstacle.to_owned());
    }
    for broker in broker::all() {
        let state = match broker.status.state {
            State::Up => continue,
            State::Connecting => "is being connected to",
            State::Down => "is away",
        };
        let reason = broker.status.error.unwrap_or_default();
        let reason = match reason.is_empty() {
            true => reason,
            // A line of its own would feign another answer.
            false => format!(": {}", reason.escape_debug()),
        };
        return Err(format!("the broker {} {state}{reason}", broker.address));
    }
    Ok(())
}
