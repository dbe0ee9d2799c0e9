//! Whether the program can do its work, for a load balancer or an orchestrator.

use duplex_broker::State;

use crate::broker;
use crate::progress;
pub use crate::progress::note_ending;
pub use crate::progress::note_started;

/// Whether the program can be sent work. It can if all of these are true:
///
/// - At least one server listens. If there never was a server, the main module has been evaluated.
/// - The program was not told to end.
/// - Each broker is connected and has all subscriptions.
///
/// # Errors
///
/// The reason why the program cannot be sent work, in one line.
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
            // A line break in the reason could fake another answer.
            false => format!(": {}", reason.escape_debug()),
        };
        return Err(format!("the broker {} {state}{reason}", broker.address));
    }
    Ok(())
}
