//! The local copies of the logs of a broker. The thread that reads the logs from the broker calls
//! these functions.

use crate::history;
use crate::history::Position;
use crate::message::Message;
use crate::topic_space::TopicSpace;

/// The extent of a copy: the copy has all messages after `floor` up to `last`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogExtent {
    /// The epoch of the log.
    pub epoch: u64,
    /// The offset before the first message of the copy.
    pub floor: u64,
    /// The offset of the last message.
    pub last: u64,
}

impl TopicSpace {
    /// The extent of the copy of the log of `topic`, or `None` without a copy.
    pub fn log_extent(&self, topic: &str) -> Option<LogExtent> {
        let log = self.history()?.existing(topic)?;
        let log = history::lock(&log);
        let Position { epoch, offset } = log.position();
        Some(LogExtent {
            epoch,
            floor: log.floor(),
            last: offset,
        })
    }

    /// Begins the copy of the log of `topic`. The next message comes after
    /// `position`.
    pub fn begin_log(&self, topic: &str, position: Position) {
        if let Some(history) = self.history() {
            history.begin(topic, position);
        }
    }

    /// Appends the next message of the log, and hands the message to all subscribers of the process
    /// except the one that `tag` stands for. Without a `message` only the offset is noted.
    pub fn append_to_log(&self, topic: &str, offset: u64, message: Option<Message<'_>>, tag: u64) {
        let Some((history, log)) =
            (self.history()).and_then(|history| Some((history, history.existing(topic)?)))
        else {
            return;
        };
        let mut log = history::lock(&log);
        match message {
            Some(message) => {
                let parcel = log.append_at(offset, message, history.options());
                self.deliver_recorded(topic, &parcel, tag);
            }
            None => log.skip_to(offset),
        }
    }

    /// Adds the messages of the log after the offset `since` up to the messages of the copy, or
    /// more. An entry that is not a message has only an offset.
    pub fn prepend_to_log<'a>(
        &self,
        topic: &str,
        since: u64,
        messages: impl Iterator<Item = (u64, Option<Message<'a>>)>,
    ) {
        if let Some(log) = self.history().and_then(|history| history.existing(topic)) {
            history::lock(&log).prepend(since, messages);
        }
    }

    /// Messages were missed that cannot be read any more. Closes the subscribers, and begins the
    /// copy again. The next message comes after `position`.
    pub fn lose_log(&self, topic: &str, position: Position) {
        self.begin_log(topic, position);
        self.close_subscribers(topic);
    }

    /// Drops the copy, because the process does not want the topic any more.
    pub fn forget_log(&self, topic: &str) {
        if let Some(history) = self.history() {
            history.forget(topic);
        }
    }
}
