//! The protocol of Redis, RESP3 (redis.io/docs/latest/develop/reference/protocol-spec): one
//! connection publishes, and receives push messages for its subscriptions.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use bytes::{Buf, BytesMut};

use crate::address::Address;
use crate::digits::decimal;
use crate::heard::{Heard, WireError};
use crate::names;
use crate::payload::Payload;
use crate::recording::{Answer, Ask, Recording};
use crate::redis_log::{self, LogEnvelope};
use crate::resp::{LONGEST, Reader, Value, command};

/// The envelope before the payload of a message of this crate: the magic, `t` or `b`, and the
/// node's number, by which a node recognises its own messages. A message without an envelope comes
/// from another program.
const MAGIC: &[u8] = b"\0DX1";
pub(crate) const ENVELOPE_LENGTH: usize = MAGIC.len() + 1 + 8;

pub(crate) struct Redis {
    address: Address,
    prefix: String,
    node: u64,
    topics: HashMap<Box<[u8]>, Arc<str>>,
    probe_channel: String,
    /// The commands that wait for their replies, in order.
    awaited: VecDeque<Awaited>,
    is_ready: bool,
    recording: Option<Recording>,
}

enum Awaited {
    Hello,
    Select,
    /// This many messages.
    Published(u64),
    /// Messages that are recorded. The first has this number.
    Recorded {
        number: u64,
        count: u64,
    },
    /// The script is loaded.
    Script,
    /// A question about a log.
    Read {
        number: u64,
        ask: Ask,
    },
    Probe,
    Sync(u64),
}

impl Redis {
    pub(crate) fn new(
        address: &Address,
        prefix: &str,
        node: u64,
        recording: Option<Recording>,
    ) -> Self {
        Self {
            address: address.clone(),
            recording,
            prefix: prefix.to_string(),
            node,
            topics: HashMap::new(),
            // No topic has a channel like this, because the prefix and its
            // colon come first in those.
            probe_channel: format!("\0probe:{prefix}:{node:016x}"),
            awaited: VecDeque::new(),
            is_ready: false,
        }
    }

    pub(crate) fn is_greeted(&self) -> bool {
        self.is_ready
    }

    pub(crate) fn is_secure(&self) -> bool {
        self.address.is_secure
    }

    pub(crate) fn greet(&mut self, out: &mut Vec<u8>) {
        let Address { user, password, .. } = &self.address;
        // A user without a password is not sent, as in other clients of Redis.
        match password {
            Some(password) => {
                let user = user.as_deref().unwrap_or("default");
                let arguments: [&[u8]; 5] = [
                    b"HELLO",
                    b"3",
                    b"AUTH",
                    user.as_bytes(),
                    password.as_bytes(),
                ];
                command(out, &arguments);
            }
            None => command(out, &[b"HELLO", b"3"]),
        }
        self.awaited.push_back(Awaited::Hello);
        if self.address.database != 0 {
            let database = self.address.database.to_string();
            command(out, &[b"SELECT", database.as_bytes()]);
            self.awaited.push_back(Awaited::Select);
        }
        if self.recording.is_some() {
            // Without keys the scripts do nothing. After this they can be called by their hashes.
            for script in redis_log::scripts() {
                command(out, &[b"EVAL", script.source.as_bytes(), b"0"]);
                self.awaited.push_back(Awaited::Script);
            }
        }
    }

    pub(crate) fn subscribe(&mut self, topic: &Arc<str>, out: &mut Vec<u8>) {
        let channel = self.channel(topic);
        command(out, &[b"SUBSCRIBE", channel.as_bytes()]);
        (self.topics).insert(channel.into_bytes().into(), topic.clone());
    }

    pub(crate) fn unsubscribe(&mut self, topic: &str, out: &mut Vec<u8>) {
        let channel = self.channel(topic);
        if self.topics.remove(channel.as_bytes()).is_some() {
            command(out, &[b"UNSUBSCRIBE", channel.as_bytes()]);
        }
    }

    pub(crate) fn subscribe_probe(&mut self, out: &mut Vec<u8>) {
        command(out, &[b"SUBSCRIBE", self.probe_channel.as_bytes()]);
    }

    pub(crate) fn probe(&mut self, out: &mut Vec<u8>) {
        command(out, &[b"PUBLISH", self.probe_channel.as_bytes(), b""]);
        self.awaited.push_back(Awaited::Probe);
    }

    pub(crate) fn sync(&mut self, number: u64, out: &mut Vec<u8>) {
        command(out, &[b"PING"]);
        self.awaited.push_back(Awaited::Sync(number));
    }

    pub(crate) fn note_published(&mut self, first: u64, count: u64) {
        if self.recording.is_some() {
            if count > 0 {
                let number = first;
                self.awaited.push_back(Awaited::Recorded { number, count });
            }
            return;
        }
        match self.awaited.back_mut() {
            Some(Awaited::Published(before)) => *before += count,
            _ if count > 0 => self.awaited.push_back(Awaited::Published(count)),
            _ => {}
        }
    }

    /// See [`Wire::ask`](crate::wire::Wire::ask).
    pub(crate) fn ask(&mut self, number: u64, topic: &str, ask: Ask, out: &mut Vec<u8>) {
        if let Some(recording) = &self.recording {
            redis_log::write_read(out, &self.prefix, topic, ask, *recording);
            self.awaited.push_back(Awaited::Read { number, ask });
        }
    }

    /// See [`Wire::next`](crate::wire::Wire::next).
    pub(crate) fn next(&mut self, input: &mut BytesMut) -> Result<Option<Heard>, WireError> {
        loop {
            let mut reader = Reader {
                input,
                at: 0,
                missing: 0,
            };
            let Some(value) = reader.value(0)? else {
                let missing = reader.missing;
                input.reserve(missing);
                return Ok(None);
            };
            let end = reader.at;
            let heard = match value {
                Value::Push(elements) => self.pushed(&elements),
                value => self.replied(&value)?,
            };
            input.advance(end);
            if heard.is_some() {
                return Ok(heard);
            }
        }
    }

    fn pushed(&self, elements: &[Value<'_>]) -> Option<Heard> {
        let [
            Value::Bytes(b"message"),
            Value::Bytes(channel),
            Value::Bytes(data),
        ] = elements
        else {
            return None;
        };
        if *channel == self.probe_channel.as_bytes() {
            return Some(Heard::Probe);
        }
        let topic = self.topics.get(*channel)?;
        if let Some(envelope) = LogEnvelope::take(data) {
            return Some(match &self.recording {
                Some(_) => Heard::Recorded(topic.clone(), envelope.recorded(self.node)),
                None => Heard::Message(topic.clone(), envelope.payload()),
            });
        }
        let payload = match Envelope::take(data) {
            Some((envelope, _)) if envelope.node == self.node => return None,
            Some((envelope, payload)) => Payload::of(payload, envelope.is_binary),
            None => Payload::of(data, false),
        };
        Some(Heard::Message(topic.clone(), payload))
    }

    fn replied(&mut self, value: &Value<'_>) -> Result<Option<Heard>, WireError> {
        let error = match value {
            Value::Error(message) => Some(String::from_utf8_lossy(message).into_owned()),
            _ => None,
        };
        let Some(awaited) = self.awaited.front_mut() else {
            return Err(match error {
                Some(message) => WireError::Refused(message),
                None => WireError::Malformed("a reply to nothing"),
            });
        };
        if let Awaited::Published(count) = awaited {
            *count -= 1;
            if *count == 0 {
                self.awaited.pop_front();
            }
            // A refused publication is settled too, because it is lost.
            return Ok(Some(match error {
                Some(message) => Heard::Refused { message, lost: 1 },
                None => Heard::Confirmed(1),
            }));
        }
        if let Awaited::Recorded { number, count } = awaited {
            let stored = *number;
            *number += 1;
            *count -= 1;
            if *count == 0 {
                self.awaited.pop_front();
            }
            let result = match error {
                Some(message) if message.starts_with("NOSCRIPT") => {
                    // The script was removed from the server. The next
                    // connection loads it again.
                    return Err(WireError::Refused(message));
                }
                Some(message) => Err(message),
                None => Ok(redis_log::position(value)?),
            };
            return Ok(Some(Heard::Stored {
                number: stored,
                result,
            }));
        }
        match (self.awaited.pop_front(), error) {
            (Some(Awaited::Read { .. }), Some(message)) if message.starts_with("NOSCRIPT") => {
                Err(WireError::Refused(message))
            }
            (Some(Awaited::Read { number, ask }), error) => Ok(Some(Heard::Answer {
                number,
                answer: match error {
                    Some(message) => Answer::Refused(message),
                    None => redis_log::answer(value, ask)?,
                },
            })),
            (Some(Awaited::Probe), Some(message)) => Ok(Some(Heard::Refused { message, lost: 0 })),
            (_, Some(message)) => Err(WireError::Refused(message)),
            (Some(Awaited::Sync(number)), None) => Ok(Some(Heard::Synced(number))),
            (Some(Awaited::Hello | Awaited::Select | Awaited::Script), None) => {
                let is_done = !(self.awaited.iter()).any(|awaited| {
                    matches!(awaited, Awaited::Hello | Awaited::Select | Awaited::Script)
                });
                if is_done && !std::mem::replace(&mut self.is_ready, true) {
                    return Ok(Some(Heard::Ready {
                        longest: LONGEST,
                        must_secure: false,
                    }));
                }
                Ok(None)
            }
            _ => Ok(None),
        }
    }

    fn channel(&self, topic: &str) -> String {
        let mut channel = String::new();
        names::write_channel(&mut channel, &self.prefix, topic);
        channel
    }
}

struct Envelope {
    node: u64,
    is_binary: bool,
}

impl Envelope {
    /// The envelope of a message, and the payload.
    fn take(data: &[u8]) -> Option<(Self, &[u8])> {
        let rest = data.strip_prefix(MAGIC)?;
        let (&kind, rest) = rest.split_first()?;
        let (node, payload) = rest.split_first_chunk::<8>()?;
        let is_binary = match kind {
            b't' => false,
            b'b' => true,
            _ => return None,
        };
        let node = u64::from_be_bytes(*node);
        Some((Self { node, is_binary }, payload))
    }
}

/// Appends the command that publishes a message.
pub(crate) fn write_publish(
    out: &mut Vec<u8>,
    channel: &str,
    payload: &[u8],
    is_text: bool,
    node: u64,
) {
    let mut digits = [0; 20];
    out.reserve(channel.len() + payload.len() + ENVELOPE_LENGTH + 64);
    out.extend_from_slice(b"*3\r\n$7\r\nPUBLISH\r\n$");
    out.extend_from_slice(decimal(channel.len(), &mut digits));
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(channel.as_bytes());
    out.extend_from_slice(b"\r\n$");
    out.extend_from_slice(decimal(ENVELOPE_LENGTH + payload.len(), &mut digits));
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(MAGIC);
    out.push(if is_text { b't' } else { b'b' });
    out.extend_from_slice(&node.to_be_bytes());
    out.extend_from_slice(payload);
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connection(url: &str) -> (Redis, Vec<u8>) {
        let address = Address::parse(url).unwrap();
        let mut redis = Redis::new(&address, "app", 1, None);
        let mut out = Vec::new();
        redis.greet(&mut out);
        (redis, out)
    }

    fn feed(redis: &mut Redis, input: &[u8]) -> Vec<Heard> {
        let mut buffer = BytesMut::new();
        let mut heard = Vec::new();
        // The input comes byte by byte, because the cuts must not matter.
        for &byte in input {
            buffer.extend_from_slice(&[byte]);
            while let Some(it) = redis.next(&mut buffer).unwrap() {
                heard.push(it);
            }
        }
        assert!(buffer.is_empty());
        heard
    }

    const HELLO: &[u8] = b"%2\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nmodules\r\n*0\r\n";

    #[test]
    fn it_is_ready_when_the_greeting_was_answered() {
        let (mut redis, out) = connection("redis://localhost");
        assert_eq!(out, b"*2\r\n$5\r\nHELLO\r\n$1\r\n3\r\n");
        let heard = feed(&mut redis, HELLO);
        assert!(matches!(heard[..], [Heard::Ready { .. }]));

        let (mut redis, out) = connection("redis://:secret@localhost/2");
        assert!(String::from_utf8_lossy(&out).contains("default\r\n$6\r\nsecret\r\n"));
        assert!(out.ends_with(b"SELECT\r\n$1\r\n2\r\n"));
        assert!(feed(&mut redis, HELLO).is_empty());
        let heard = feed(&mut redis, b"+OK\r\n");
        assert!(matches!(heard[..], [Heard::Ready { .. }]));
    }

    #[test]
    fn a_refusal_ends_it() {
        let (mut redis, _) = connection("redis://a:b@localhost");
        let mut input = BytesMut::from(&b"-WRONGPASS invalid\r\n"[..]);
        let error = redis.next(&mut input).unwrap_err();
        assert_eq!(error.to_string(), "the broker refuses: WRONGPASS invalid");
    }

    fn push(channel: &str, data: &[u8]) -> Vec<u8> {
        let (length, size) = (channel.len(), data.len());
        let head = format!(">3\r\n$7\r\nmessage\r\n${length}\r\n{channel}\r\n${size}\r\n");
        [head.as_bytes(), data, b"\r\n"].concat()
    }

    /// The message as a node publishes it.
    fn enveloped(kind: u8, node: u64, payload: &[u8]) -> Vec<u8> {
        [MAGIC, &[kind], &node.to_be_bytes(), payload].concat()
    }

    #[test]
    fn messages_of_others_come_and_its_own_do_not() {
        let (mut redis, mut out) = connection("redis://localhost");
        feed(&mut redis, HELLO);
        redis.subscribe(&"a *".into(), &mut out);
        let mut input = b">3\r\n$9\r\nsubscribe\r\n$7\r\napp:a *\r\n:1\r\n".to_vec();
        input.extend(push("app:a *", b"from redis-cli"));
        input.extend(push("app:a *", &enveloped(b't', 1, b"its own")));
        input.extend(push("app:a *", &enveloped(b't', 2, b"text")));
        input.extend(push("app:a *", &enveloped(b'b', 2, b"bytes")));
        input.extend(push("app:b", b"not subscribed"));
        input.extend(push("app:a *", b"\xff"));
        let payloads: Vec<_> = feed(&mut redis, &input)
            .into_iter()
            .map(|heard| match heard {
                Heard::Message(topic, payload) if &*topic == "a *" => payload,
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(
            payloads,
            [
                Payload::Text("from redis-cli".to_string()),
                Payload::Text("text".to_string()),
                Payload::Binary(b"bytes"[..].into()),
                Payload::Binary(b"\xff"[..].into()),
            ]
        );
    }

    #[test]
    fn each_reply_confirms_what_it_is_to() {
        let (mut redis, mut out) = connection("redis://localhost");
        feed(&mut redis, HELLO);
        redis.note_published(1, 2);
        redis.probe(&mut out);
        redis.note_published(3, 1);
        redis.sync(5, &mut out);
        let heard = feed(&mut redis, b":0\r\n-NOPERM no\r\n:1\r\n:0\r\n+PONG\r\n");
        let [
            Heard::Confirmed(1),
            Heard::Refused { lost: 1, .. },
            Heard::Confirmed(1),
            Heard::Synced(5),
        ] = heard[..]
        else {
            panic!("{heard:?}");
        };
    }

    #[test]
    fn nonsense_is_an_error() {
        for input in [
            &b"hello\r\n"[..],
            b"\r\n",
            b"$x\r\n",
            b"$99999999999\r\n",
            b"$1\r\nabc\r\n",
            b"*99999\r\n",
            b"*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n",
        ] {
            let (mut redis, _) = connection("redis://localhost");
            let mut buffer = BytesMut::from(input);
            redis.next(&mut buffer).unwrap_err();
        }
        let (mut redis, _) = connection("redis://localhost");
        feed(&mut redis, HELLO);
        let mut buffer = BytesMut::from(&b"+OK\r\n"[..]);
        redis.next(&mut buffer).unwrap_err();
    }

    #[test]
    fn publishing() {
        let mut out = Vec::new();
        write_publish(&mut out, "app:a", b"hi", true, 258);
        let expected =
            b"*3\r\n$7\r\nPUBLISH\r\n$5\r\napp:a\r\n$15\r\n\0DX1t\0\0\0\0\0\0\x01\x02hi\r\n";
        assert_eq!(out, expected);
    }
}
