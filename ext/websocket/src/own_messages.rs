//! The messages that sockets have sent to a broker's log, and that come back
//! from the log.

use std::collections::HashMap;
use std::num::NonZeroU64;
use std::rc::{Rc, Weak};

/// The senders of the messages, by numbers from 1 on.
pub(crate) struct OwnMessages<C> {
    last: u64,
    senders: HashMap<u64, Weak<C>>,
}

impl<C> Default for OwnMessages<C> {
    fn default() -> Self {
        Self {
            last: 0,
            senders: HashMap::new(),
        }
    }
}

impl<C> OwnMessages<C> {
    /// Gives a message of `sender` its number.
    pub(crate) fn add(&mut self, sender: Weak<C>) -> NonZeroU64 {
        if self.senders.len() == MAX_MESSAGES {
            // Old messages that have not come back were lost with a connection
            // to the broker.
            let oldest = self.last - MAX_MESSAGES as u64 / 2;
            self.senders.retain(|&number, _| number > oldest);
        }
        self.last += 1;
        self.senders.insert(self.last, sender);
        NonZeroU64::new(self.last).unwrap_or(NonZeroU64::MIN)
    }

    /// The sender of the message. A second call returns `None`.
    pub(crate) fn take(&mut self, number: NonZeroU64) -> Option<Rc<C>> {
        self.senders.remove(&number.get())?.upgrade()
    }
}

/// How many senders are remembered. If a sender is forgotten, the socket gets
/// its own message.
const MAX_MESSAGES: usize = 1 << 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_known_once_and_the_oldest_are_forgotten() {
        let mut own = OwnMessages::default();
        let sender = Rc::new(());
        let first = own.add(Rc::downgrade(&sender));
        let second = own.add(Rc::downgrade(&sender));
        assert!(own.take(first).is_some());
        assert!(own.take(first).is_none());
        let mut last = second;
        for _ in 0..MAX_MESSAGES {
            last = own.add(Rc::downgrade(&sender));
        }
        assert!(own.take(second).is_none());
        assert!(own.take(last).is_some());
        let dropped = own.add(Rc::downgrade(&sender));
        drop(sender);
        assert!(own.take(dropped).is_none());
        assert!(own.senders.len() <= MAX_MESSAGES);
    }
}
