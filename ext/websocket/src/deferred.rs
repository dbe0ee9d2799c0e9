//! The messages that a script sent behind a Blob, whose bytes are read
//! asynchronously.

use std::collections::VecDeque;

use duplex_protocol::close::Close;

use crate::message::Message;

/// Messages in their order, from a Blob on. Each message keeps the content that it had when the
/// script sent it.
#[derive(Default)]
pub(crate) struct Deferred {
    entries: VecDeque<Entry>,
    /// Bytes of application data.
    payload: usize,
    /// How many entries are Blobs.
    blobs: usize,
    /// The Close frame that will follow.
    close: Option<Close>,
}

enum Entry {
    /// A Blob of this many bytes, which have not been read yet.
    Blob(usize),
    Message(Owned),
}

/// A copy of a message, because the script may change the original meanwhile.
pub(crate) enum Owned {
    Text(Box<str>),
    Binary(Box<[u8]>),
}

impl Owned {
    pub(crate) fn message(&self) -> Message<'_> {
        match self {
            Self::Text(text) => Message::Text(text),
            Self::Binary(bytes) => Message::Binary(bytes),
        }
    }
}

impl Deferred {
    pub(crate) fn push_blob(&mut self, length: usize) {
        self.payload += length;
        self.blobs += 1;
        self.entries.push_back(Entry::Blob(length));
    }

    pub(crate) fn push(&mut self, message: Message<'_>) {
        self.payload += message.length();
        let owned = match message {
            Message::Text(text) => Owned::Text(text.into()),
            Message::Binary(bytes) => Owned::Binary(bytes.into()),
        };
        self.entries.push_back(Entry::Message(owned));
    }

    /// Makes the Close frame follow, unless a Close frame follows already.
    pub(crate) fn close(&mut self, close: &Close) {
        self.close.get_or_insert_with(|| close.clone());
    }

    pub(crate) fn has_close(&self) -> bool {
        self.close.is_some()
    }

    /// Takes the Blob at the front: its bytes have been read, or cannot be
    /// read.
    pub(crate) fn pop_blob(&mut self) {
        if let Some(Entry::Blob(length)) = self.entries.front() {
            self.payload -= length;
            self.blobs -= 1;
            self.entries.pop_front();
        }
    }

    /// Takes the next message, if no Blob stands before it.
    pub(crate) fn pop(&mut self) -> Option<Owned> {
        match self.entries.pop_front()? {
            Entry::Message(owned) => {
                self.payload -= owned.message().length();
                Some(owned)
            }
            blob => {
                self.entries.push_front(blob);
                None
            }
        }
    }

    /// The Close frame, if nothing stands before it.
    pub(crate) fn take_close(&mut self) -> Option<Close> {
        self.close.take().filter(|_| self.entries.is_empty())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Bytes of application data.
    pub(crate) fn payload(&self) -> usize {
        self.payload
    }

    /// How much memory the entries take, in bytes.
    pub(crate) fn held(&self) -> usize {
        self.payload + self.entries.len() * ENTRY + self.blobs * BLOB
    }
}

/// The memory of an entry besides its payload, in bytes. The payload is a
/// separate allocation.
const ENTRY: usize = 128;
/// The memory of JavaScript for a Blob besides its content, in bytes.
const BLOB: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;

    /// The messages that [`Deferred::pop`] returns before the next Blob.
    fn texts(deferred: &mut Deferred) -> Vec<String> {
        let owned = std::iter::from_fn(|| deferred.pop());
        owned
            .map(|owned| match owned.message() {
                Message::Text(text) => text.to_owned(),
                Message::Binary(bytes) => format!("{bytes:?}"),
            })
            .collect()
    }

    #[test]
    fn messages_wait_for_the_blob_before_them() {
        let mut deferred = Deferred::default();
        deferred.push_blob(100);
        deferred.push(Message::Text("one"));
        deferred.push(Message::Binary(&[1, 2]));
        deferred.push_blob(50);
        deferred.push(Message::Text("two"));
        deferred.close(&Close::empty());
        assert_eq!(deferred.payload(), 100 + 3 + 2 + 50 + 3);
        assert!(deferred.held() > 158 && deferred.has_close());

        assert!(texts(&mut deferred).is_empty());
        deferred.pop_blob();
        assert_eq!(texts(&mut deferred), ["one", "[1, 2]"]);
        assert_eq!(deferred.payload(), 53);
        assert!(texts(&mut deferred).is_empty());
        deferred.pop_blob();
        assert_eq!(texts(&mut deferred), ["two"]);
        assert!(deferred.is_empty());
        assert_eq!((deferred.payload(), deferred.held()), (0, 0));
        assert_eq!(deferred.take_close(), Some(Close::empty()));
    }

    #[test]
    fn the_first_close_frame_counts() {
        let mut deferred = Deferred::default();
        deferred.push_blob(1);
        let [first, second] = ["first", "second"]
            .map(|reason| Close::new(duplex_protocol::close::CloseCode::GOING_AWAY, reason));
        deferred.close(&first);
        deferred.close(&second);
        deferred.pop_blob();
        assert_eq!(deferred.take_close(), Some(first));
    }
}
