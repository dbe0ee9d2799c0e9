//! What a hub tells the application of a connection, whoever that is: the script in an engine,
//! or a test without one.
//!
//! All of these are generic, so that the way of a message holds no call that the compiler
//! cannot see through.

use std::borrow::Cow;

use duplex_protocol::session::Ending;

use crate::connection::Connection;
use crate::recycler::Recycled;

/// Takes what happens on connections, besides messages. Each may run script.
pub(crate) trait Events {
    /// The kernel has taken so much that the application need not wait any more.
    fn drained(&mut self, connection: &Connection);

    /// The closing handshake has begun, and not by the application.
    fn closing(&mut self, connection: &Connection);

    /// The connection has ended. This is told once, and nothing of the connection after it.
    fn closed(&mut self, connection: &Connection, ending: &Ending);
}

/// Takes everything that happens on the connections of a hub, during one
/// [run](super::Hub::run).
pub(crate) trait Delivery: Events {
    /// Has `work` done with what takes the messages of `connection`. An engine opens a scope
    /// for that.
    fn with_inbox<W: InboxWork>(&mut self, connection: &Connection, work: W) -> W::Output;
}

/// What is to be done with an [`Inbox`], whose type only [`Delivery`] knows.
pub(crate) trait InboxWork {
    type Output;

    fn run(self, inbox: &mut impl Inbox) -> Self::Output;
}

/// Takes the messages of one connection, which one read brought. Each may run script.
///
/// Text messages may be kept until something else comes, or
/// [`deliver_waiting`](Self::deliver_waiting) is called: they are delivered then, one after
/// the other.
pub(crate) trait Inbox: Events {
    /// Sees to it that another text can be taken. Returns false where no more script may run.
    fn make_room(&mut self) -> bool;

    /// Delivers the texts that were kept. Returns false where no more script may run.
    fn deliver_waiting(&mut self) -> bool;

    /// Takes a text message. `is_ascii` says that it is plain ASCII.
    fn text(&mut self, text: &str, is_ascii: bool) -> Delivered;

    /// Takes a binary message. No text waits.
    fn binary(&mut self, payload: Cow<'_, [u8]>) -> Delivered;

    /// Takes a binary message in memory of its own. No text waits.
    fn recycled(&mut self, payload: Recycled) -> Delivered;

    /// Takes a Ping or a Pong. No text waits.
    fn control(&mut self, payload: Cow<'_, [u8]>, is_pong: bool) -> Delivered;
}

/// What became of a message.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Delivered {
    /// It was delivered, or is kept.
    Yes,
    /// It is longer than the application can take.
    TooLong,
    /// No more script may run.
    Stopped,
}
