//! The logs of a broker, as far as this process has them: who reads them at the broker hands
//! them in here, on one thread.

use crate::history;
use crate::history::Position;
use crate::message::Message;
use crate::topic_space::TopicSpace;

/// What of a log is there: all messages behind `floor` up to `last`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogExtent {
    /// That of the log.
    pub epoch: u64,
    /// The offset before the first message that is there.
    pub floor: u64,
    /// The offset of the last one.
    pub last: u64,
}

impl TopicSpace {
    /// What is there of the log of `topic`.
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

    /// What comes of the log comes behind `position`.
    pub fn begin_log(&self, topic: &str, position: Position) {
        if let Some(history) = self.history() {
            history.begin(topic, position);
        }
    }

    /// Takes in the next message of the log, and hands it to all subscribers of the process but
    /// the one whose `tag` it has. Nothing is handed to anybody where there is no `message`.
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

    /// Takes in what the log has behind the offset `since` up to the messages that are there, or
    /// more. What is no message has an offset only.
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

    /// Messages were missed that cannot be had any more: the subscribers are closed, and what
    /// comes of the log comes behind `position`.
    pub fn lose_log(&self, topic: &str, position: Position) {
        self.begin_log(topic, position);
        self.close_subscribers(topic);
    }

    /// Nobody wants the topic any more.
    pub fn forget_log(&self, topic: &str) {
        if let Some(history) = self.history() {
            history.forget(topic);
        }
    }
}
