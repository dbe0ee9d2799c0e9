//! The common interface of the protocols of brokers.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::BytesMut;

use crate::address::{Address, Protocol};
use crate::heard::{Heard, WireError};
use crate::nats::Nats;
use crate::recording::{Ask, Recordable, Recording};
use crate::redis::Redis;
use crate::{names, nats, nats_log, redis, redis_log};

/// The protocol of one connection.
pub(crate) enum Wire {
    Nats(Nats),
    Redis(Redis),
}

impl Wire {
    pub(crate) fn new(
        address: &Address,
        prefix: &str,
        node: u64,
        recording: Option<Recording>,
    ) -> Self {
        match address.protocol {
            Protocol::Nats => Self::Nats(Nats::new(address, prefix, node, recording)),
            Protocol::Redis => Self::Redis(Redis::new(address, prefix, node, recording)),
        }
    }

    /// Writes the commands that come before the first message of the broker.
    pub(crate) fn greet(&mut self, out: &mut Vec<u8>) {
        match self {
            Self::Nats(_) => {}
            Self::Redis(redis) => redis.greet(out),
        }
    }

    /// Whether TLS comes before everything else.
    pub(crate) fn is_secure_at_once(&self) -> bool {
        matches!(self, Self::Redis(redis) if redis.is_secure())
    }

    /// Whether the handshake is done.
    pub(crate) fn is_greeted(&self) -> bool {
        match self {
            Self::Nats(nats) => nats.is_greeted(),
            Self::Redis(redis) => redis.is_greeted(),
        }
    }

    /// Whether the broker hands this connection's own messages back to it.
    pub(crate) fn hears_itself(&self) -> bool {
        matches!(self, Self::Redis(_))
    }

    /// Takes the next message of the broker from the front of `input`, and writes an answer to
    /// `out` if one is due.
    ///
    /// # Errors
    /// [`WireError`] if the connection cannot go on.
    pub(crate) fn next(
        &mut self,
        input: &mut BytesMut,
        out: &mut Vec<u8>,
    ) -> Result<Option<Heard>, WireError> {
        match self {
            Self::Nats(nats) => nats.next(input, out),
            Self::Redis(redis) => redis.next(input),
        }
    }

    pub(crate) fn subscribe(&mut self, topic: &Arc<str>, out: &mut Vec<u8>) {
        match self {
            Self::Nats(nats) => nats.subscribe(topic, out),
            Self::Redis(redis) => redis.subscribe(topic, out),
        }
    }

    pub(crate) fn unsubscribe(&mut self, topic: &str, out: &mut Vec<u8>) {
        match self {
            Self::Nats(nats) => nats.unsubscribe(topic, out),
            Self::Redis(redis) => redis.unsubscribe(topic, out),
        }
    }

    /// Subscribes to the probes of this process.
    pub(crate) fn subscribe_probe(&mut self, out: &mut Vec<u8>) {
        match self {
            Self::Nats(nats) => nats.subscribe_probe(out),
            Self::Redis(redis) => redis.subscribe_probe(out),
        }
    }

    /// Publishes a probe.
    pub(crate) fn probe(&mut self, out: &mut Vec<u8>) {
        match self {
            Self::Nats(nats) => nats.probe(out),
            Self::Redis(redis) => redis.probe(out),
        }
    }

    /// Asks for [`Heard::Synced`] with `number`, which must be greater than the
    /// last number, or 0.
    pub(crate) fn sync(&mut self, number: u64, out: &mut Vec<u8>) {
        match self {
            Self::Nats(nats) => nats.sync(number, out),
            Self::Redis(redis) => redis.sync(number, out),
        }
    }

    /// Notes that `count` messages of a [`Publisher`] follow on the connection. The first of them
    /// has the number `first`.
    pub(crate) fn note_published(&mut self, first: u64, count: u64) {
        match self {
            Self::Nats(nats) => nats.note_published(first, count),
            Self::Redis(redis) => redis.note_published(first, count),
        }
    }

    /// Asks about the log of a topic. The answer is [`Heard::Answer`] with `number`.
    pub(crate) fn ask(&mut self, number: u64, topic: &Arc<str>, ask: Ask, out: &mut Vec<u8>) {
        match self {
            Self::Nats(nats) => nats.ask(number, topic, ask, out),
            Self::Redis(redis) => redis.ask(number, topic, ask, out),
        }
    }

    /// Asks whether the logs are still the same. If they are not, the connection fails.
    pub(crate) fn check(&mut self, out: &mut Vec<u8>) {
        match self {
            Self::Nats(nats) => nats.check(out),
            // Each message names the epoch of its log.
            Self::Redis(_) => {}
        }
    }
}

/// Encodes messages on the threads that publish them.
pub(crate) struct Publisher {
    protocol: Protocol,
    prefix: String,
    node: u64,
    recording: Option<Recording>,
    /// The names that were made last.
    names: HashMap<Box<str>, String>,
    scratch: String,
    redis_names: redis_log::Names,
    inbox: String,
}

impl Publisher {
    pub(crate) fn new(
        protocol: Protocol,
        prefix: &str,
        node: u64,
        recording: Option<Recording>,
    ) -> Self {
        Self {
            inbox: names::inbox(node),
            recording,
            protocol,
            prefix: prefix.to_string(),
            node,
            names: HashMap::new(),
            scratch: String::new(),
            redis_names: redis_log::Names::default(),
        }
    }

    /// How many bytes the broker counts for a message, against its limit.
    pub(crate) fn length(&self, payload: &[u8], is_text: bool) -> usize {
        let header = match (self.protocol, self.recording) {
            (Protocol::Nats, Some(_)) => nats_log::LONGEST_HEADER,
            (Protocol::Nats, None) if is_text => 0,
            (Protocol::Nats, None) => nats::BINARY_HEADER.len(),
            (Protocol::Redis, Some(_)) => redis_log::HEAD_LENGTH,
            (Protocol::Redis, None) => redis::ENVELOPE_LENGTH,
        };
        header + payload.len()
    }

    /// Appends the command that publishes a message.
    pub(crate) fn publish(
        &mut self,
        topic: &str,
        payload: &[u8],
        is_text: bool,
        out: &mut Vec<u8>,
    ) {
        match self.protocol {
            Protocol::Nats => {
                if let Some(subject) = self.subject(topic) {
                    nats::write_publish(out, subject, payload, is_text);
                }
            }
            Protocol::Redis => {
                self.scratch.clear();
                names::write_channel(&mut self.scratch, &self.prefix, topic);
                redis::write_publish(out, &self.scratch, payload, is_text, self.node);
            }
        }
    }

    /// Appends the command that records a message and publishes it. The number must be one greater
    /// than that of the message before.
    pub(crate) fn record(
        &mut self,
        topic: &str,
        payload: &[u8],
        is_text: bool,
        tag: u64,
        number: u64,
        out: &mut Vec<u8>,
    ) {
        let Some(recording) = self.recording else {
            return;
        };
        let message = Recordable {
            payload,
            is_text,
            node: self.node,
            tag,
        };
        match self.protocol {
            Protocol::Nats => {
                let inbox = std::mem::take(&mut self.inbox);
                if let Some(subject) = self.subject(topic) {
                    nats_log::write_record(out, subject, &inbox, number, &message);
                }
                self.inbox = inbox;
            }
            Protocol::Redis => {
                let names = &mut self.redis_names;
                redis_log::write_record(out, &self.prefix, topic, names, &message, recording);
            }
        }
    }

    /// The subject for messages of a topic.
    fn subject(&mut self, topic: &str) -> Option<&String> {
        if !self.names.contains_key(topic) {
            if self.names.len() == MAX_NAMES || topic.len() > LONGEST_NAME {
                self.names.clear();
            }
            let mut name = String::new();
            match self.recording {
                Some(_) => names::write_recorded_subject(&mut name, &self.prefix, topic),
                None => names::write_subject(&mut name, &self.prefix, topic),
            }
            self.names.insert(topic.into(), name);
        }
        self.names.get(topic)
    }
}

/// How many names are kept.
const MAX_NAMES: usize = 4096;
/// A topic that is longer clears the names before it is added.
const LONGEST_NAME: usize = 1024;
