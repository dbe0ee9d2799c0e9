//! What a hub tells the application about a connection. The application is the script in an engine,
//! or a test without an engine.
//!
//! The traits are used as type parameters, so that the compiler can inline every call on the way of
//! a message.

use std::borrow::Cow;

use duplex_protocol::session::Ending;

use crate::connection::Connection;
use crate::recycler::Recycled;

/// Takes the events of connections besides messages. Each method may run
/// script.
pub(crate) trait Events {
    /// The kernel has taken so many bytes that the application need not wait
    /// any more.
    fn drained(&mut self, connection: &Connection);

    /// The closing handshake has begun, and the application did not begin it.
    fn closing(&mut self, connection: &Connection);

    /// The connection has ended. This is told once, and nothing is told about the connection
    /// afterwards.
    fn closed(&mut self, connection: &Connection, ending: &Ending);
}

/// Takes everything that happens on the connections of a hub, during one
/// [run](super::Hub::run).
pub(crate) trait Delivery: Events {
    /// Runs `work` with the inbox of `connection`. An engine opens a scope for the work.
    fn with_inbox<W: InboxWork>(&mut self, connection: &Connection, work: W) -> W::Output;
}

/// Work that needs an [`Inbox`]. Only [`Delivery`] knows the type of the inbox.
pub(crate) trait InboxWork {
    type Output;

    fn run(self, inbox: &mut impl Inbox) -> Self::Output;
}

/// Takes the messages of one connection that one read brought. Each method may run script.
///
/// The inbox may keep text messages until something else comes, or until
/// [`deliver_waiting`](Self::deliver_waiting) is called. Then the inbox delivers them, one after
/// the other.
pub(crate) trait Inbox: Events {
    /// Makes room for another text. Returns false if no more script may run.
    fn make_room(&mut self) -> bool;

    /// Delivers the texts that were kept. Returns false if no more script may run.
    fn deliver_waiting(&mut self) -> bool;

    /// Takes a text message. `is_ascii` says whether the text is plain ASCII.
    fn text(&mut self, text: &str, is_ascii: bool) -> Delivered;

    /// Takes a binary message. No text waits.
    fn binary(&mut self, payload: Cow<'_, [u8]>) -> Delivered;

    /// Takes a binary message in its own memory. No text waits.
    fn recycled(&mut self, payload: Recycled) -> Delivered;

    /// Takes a Ping or a Pong. No text waits.
    fn control(&mut self, payload: Cow<'_, [u8]>, is_pong: bool) -> Delivered;
}

/// The result of delivering a message.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Delivered {
    /// The message was delivered, or is kept.
    Yes,
    /// The message is longer than the application can take.
    TooLong,
    /// No more script may run.
    Stopped,
}
