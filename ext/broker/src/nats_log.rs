//! Logs of topics in NATS: one stream of JetStream for all topics of a prefix.
//!
//! Messages are published to `<prefix>.h.<topic>`, which the stream takes. The stream publishes
//! each message again to `<prefix>.<topic>`, to which processes subscribe. The repeated message has
//! its number in the stream, and the number of the topic's message before it. So the offset of a
//! message is its number in the stream, and the epoch of all topics is that of the stream. If a
//! topic has no message, a process that asks for the position of its log sets a mark, which is a
//! message that is not delivered to programs. All messages after a position are there if the
//! message at the position is there, because the oldest messages of a topic are dropped first.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::digits::{decimal, hexadecimal};
use crate::heard::{Heard, WireError};
use crate::names;
use crate::payload::Payload;
use crate::recording::{Answer, Ask, PAGE, Position, Recordable, Recorded, Recording};

/// The state of the stream on one connection.
pub(crate) struct Stream {
    recording: Recording,
    prefix: String,
    node: u64,
    name: String,
    inbox: String,
    setup: Setup,
    /// When the stream was made, in the form of the server.
    created: Option<String>,
    epoch: u64,
    /// How many messages of this connection the stream has taken or refused.
    settled: u64,
    published: u64,
    /// The number of the first published message.
    first: Option<u64>,
    reads: HashMap<u64, Read>,
    /// Answers that are known without asking the server.
    answers: VecDeque<Heard>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Setup {
    /// The server was asked for the stream, or the stream is being made or
    /// changed.
    Asked,
    Done,
    /// The stream was there, and is checked again.
    Checked,
}

/// A question about a log, which may take several requests.
struct Read {
    topic: Arc<str>,
    stage: Stage,
}

enum Stage {
    /// Asks for the last message.
    Last { begins: bool },
    /// Sets a mark.
    Mark,
    /// Asks for the message at the position.
    Anchor { position: Position, is_recent: bool },
    /// Asks for the next message after the position or the last message.
    Next {
        position: Position,
        has_anchor: bool,
        messages: Vec<Recorded>,
    },
}

/// The headers of a message.
#[derive(Default)]
pub(crate) struct Headers<'a> {
    pub is_binary: bool,
    pub is_mark: bool,
    /// The node that published the message, and the tag.
    from: Option<(u64, u64)>,
    stream: Option<&'a str>,
    sequence: Option<u64>,
    last_sequence: Option<u64>,
    /// The status, which the server sends in place of an answer.
    pub status: Option<u16>,
}

impl<'a> Headers<'a> {
    pub(crate) fn parse(bytes: &'a [u8]) -> Self {
        let mut headers = Self::default();
        let Ok(text) = std::str::from_utf8(bytes) else {
            return headers;
        };
        let mut lines = text.split("\r\n");
        headers.status = (lines.next())
            .and_then(|it| it.strip_prefix("NATS/1.0 "))
            .and_then(|it| it.split(' ').next()?.parse().ok());
        for line in lines {
            let Some((name, value)) = line.split_once(':') else {
                continue;
            };
            let value = value.trim();
            if name.eq_ignore_ascii_case("Duplex-Type") {
                headers.is_binary |= value.eq_ignore_ascii_case("binary");
                headers.is_mark |= value.eq_ignore_ascii_case("mark");
            } else if name.eq_ignore_ascii_case("Duplex-From") {
                headers.from = value.split_once('.').and_then(|(node, tag)| {
                    Some((u64::from_str_radix(node, 16).ok()?, tag.parse().ok()?))
                });
            } else if name.eq_ignore_ascii_case("Nats-Stream") {
                headers.stream = Some(value);
            } else if name.eq_ignore_ascii_case("Nats-Sequence") {
                headers.sequence = value.parse().ok();
            } else if name.eq_ignore_ascii_case("Nats-Last-Sequence") {
                headers.last_sequence = value.parse().ok();
            }
        }
        headers
    }

    fn tag(&self, node: u64) -> Option<u64> {
        self.from.filter(|from| from.0 == node).map(|from| from.1)
    }

    fn payload(&self, bytes: &[u8]) -> Option<Payload> {
        (!self.is_mark).then(|| Payload::of(bytes, self.is_binary))
    }
}

impl Stream {
    pub(crate) fn new(prefix: &str, node: u64, recording: Recording) -> Self {
        Self {
            recording,
            prefix: prefix.to_string(),
            node,
            name: names::stream(prefix),
            inbox: names::inbox(node),
            setup: Setup::Asked,
            created: None,
            epoch: 0,
            settled: 0,
            published: 0,
            first: None,
            reads: HashMap::new(),
            answers: VecDeque::new(),
        }
    }

    /// Subscribes to the answers, and asks for the stream.
    pub(crate) fn begin(&mut self, out: &mut Vec<u8>) {
        let inbox = &self.inbox;
        out.extend_from_slice(format!("SUB {inbox}.* {INBOX_ID}\r\n").as_bytes());
        self.request_info(out);
    }

    /// Asks whether the stream is still the same.
    pub(crate) fn check(&mut self, out: &mut Vec<u8>) {
        if self.setup == Setup::Done {
            self.setup = Setup::Checked;
            self.request_info(out);
        }
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.created.is_some()
    }

    pub(crate) fn note_published(&mut self, first: u64, count: u64) {
        self.first.get_or_insert(first);
        self.published += count;
    }

    /// How many messages were published on this connection.
    pub(crate) fn published(&self) -> u64 {
        self.published
    }

    /// How many of these messages the stream has taken or refused.
    pub(crate) fn settled(&self) -> u64 {
        self.settled
    }

    pub(crate) fn next_answer(&mut self) -> Option<Heard> {
        self.answers.pop_front()
    }

    /// A live message of the stream, or `None` if the message is not from the
    /// stream.
    pub(crate) fn recorded(&self, headers: &Headers<'_>, payload: &[u8]) -> Option<Recorded> {
        if headers.stream != Some(self.name.as_str()) {
            return None;
        }
        Some(Recorded {
            position: self.position(headers.sequence?),
            previous: headers.last_sequence?,
            tag: headers.tag(self.node),
            payload: headers.payload(payload),
        })
    }

    /// See [`Wire::ask`](crate::wire::Wire::ask).
    pub(crate) fn ask(&mut self, number: u64, topic: &Arc<str>, ask: Ask, out: &mut Vec<u8>) {
        let stage = match ask {
            Ask::Position { begins } => {
                let subject = self.subject(topic);
                self.get(number, &json!({ "last_by_subj": subject }), out);
                Stage::Last { begins }
            }
            Ask::After { position, .. } if position.epoch != self.epoch => {
                let answer = Answer::Gone;
                self.answers.push_back(Heard::Answer { number, answer });
                return;
            }
            Ask::After {
                position,
                is_recent,
            } if position.offset == 0 => {
                // No message has the number 0.
                if !is_recent {
                    let answer = Answer::Gone;
                    self.answers.push_back(Heard::Answer { number, answer });
                    return;
                }
                self.get_next(number, topic, position, out);
                Stage::Next {
                    position,
                    has_anchor: false,
                    messages: Vec::new(),
                }
            }
            Ask::After {
                position,
                is_recent,
            } => {
                self.get(number, &json!({ "seq": position.offset }), out);
                Stage::Anchor {
                    position,
                    is_recent,
                }
            }
        };
        let topic = topic.clone();
        self.reads.insert(number, Read { topic, stage });
    }

    /// Handles a message to the inbox.
    ///
    /// # Errors
    /// [`WireError`] if the connection cannot go on, because there is no
    /// stream.
    pub(crate) fn answered(
        &mut self,
        subject: &str,
        headers: &Headers<'_>,
        payload: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<Option<Heard>, WireError> {
        let Some(token) = (subject.strip_prefix(&self.inbox)).and_then(|it| it.strip_prefix('.'))
        else {
            return Ok(None);
        };
        if headers.status == Some(503) {
            return Err(WireError::NoJetStream);
        }
        let json: Value = serde_json::from_slice(payload)
            .map_err(|_| WireError::Malformed("an answer of JetStream that is not JSON"))?;
        if token == "s" {
            self.set_up(&json, out)?;
            return Ok(None);
        }
        let Some(number) = token.get(1..).and_then(|it| it.parse::<u64>().ok()) else {
            return Ok(None);
        };
        if token.starts_with('p') {
            if self.first.is_none_or(|first| number < first) {
                // The message was published on an earlier connection.
                return Ok(None);
            }
            self.settled += 1;
            let result = self.stored(&json);
            return Ok(Some(Heard::Stored { number, result }));
        }
        let Some(read) = self.reads.remove(&number) else {
            return Ok(None);
        };
        Ok(self
            .go_on(number, read, &json, out)
            .map(|answer| Heard::Answer { number, answer }))
    }

    fn stored(&self, json: &Value) -> Result<Position, String> {
        match json["seq"].as_u64() {
            Some(sequence) if json["error"].is_null() => Ok(self.position(sequence)),
            _ => Err(description(json)),
        }
    }

    /// Takes an answer about a log. Returns the final answer, or sends the next
    /// request.
    fn go_on(
        &mut self,
        number: u64,
        read: Read,
        json: &Value,
        out: &mut Vec<u8>,
    ) -> Option<Answer> {
        let Read { topic, stage } = read;
        let is_missing = json["error"]["code"].as_u64() == Some(404);
        if !is_missing && !json["error"].is_null() {
            return Some(Answer::Refused(description(json)));
        }
        let found = &json["message"];
        let stage = match stage {
            Stage::Last { begins: false } if is_missing => return Some(Answer::Nothing),
            Stage::Last { .. } if is_missing => {
                self.set_mark(number, &topic, out);
                Stage::Mark
            }
            Stage::Last { .. } => {
                let position = found["seq"].as_u64().map(|it| self.position(it));
                return Some(position.map_or_else(unreadable, Answer::Position));
            }
            Stage::Mark => {
                return Some(match self.stored(json) {
                    Ok(position) => Answer::Position(position),
                    Err(message) => Answer::Refused(message),
                });
            }
            Stage::Anchor {
                position,
                is_recent,
            } => {
                let is_there =
                    !is_missing && found["subject"].as_str() == Some(&self.subject(&topic));
                if !is_there && !is_recent {
                    return Some(Answer::Gone);
                }
                self.get_next(number, &topic, position, out);
                Stage::Next {
                    position,
                    has_anchor: is_there,
                    messages: Vec::new(),
                }
            }
            Stage::Next {
                messages,
                has_anchor,
                ..
            } if is_missing => {
                // If the message at the position is gone, the first messages after it may also
                // have been dropped, because there are too many.
                let may_lack = !has_anchor && messages.len() as u64 > self.recording.size;
                return Some(match may_lack {
                    true => Answer::Gone,
                    false => Answer::Messages {
                        messages,
                        is_end: true,
                    },
                });
            }
            Stage::Next {
                position,
                has_anchor,
                mut messages,
            } => {
                let previous = messages
                    .last()
                    .map_or(position.offset, |it| it.position.offset);
                let Some(message) = self.found(found, previous) else {
                    return Some(unreadable());
                };
                let behind = message.position;
                messages.push(message);
                if messages.len() >= PAGE && has_anchor {
                    return Some(Answer::Messages {
                        messages,
                        is_end: false,
                    });
                }
                self.get_next(number, &topic, behind, out);
                Stage::Next {
                    position,
                    has_anchor,
                    messages,
                }
            }
        };
        self.reads.insert(number, Read { topic, stage });
        None
    }

    /// Converts a message that was read from the stream.
    fn found(&self, json: &Value, previous: u64) -> Option<Recorded> {
        let bytes = |name: &str| match json[name].as_str() {
            None => Some(Vec::new()),
            Some(text) => BASE64_STANDARD.decode(text).ok(),
        };
        let (headers, data) = (bytes("hdrs")?, bytes("data")?);
        let headers = Headers::parse(&headers);
        let sequence = json["seq"].as_u64().filter(|&it| it > previous)?;
        Some(Recorded {
            position: self.position(sequence),
            previous,
            tag: headers.tag(self.node),
            payload: headers.payload(&data),
        })
    }

    /// Takes an answer about the stream.
    fn set_up(&mut self, json: &Value, out: &mut Vec<u8>) -> Result<(), WireError> {
        match json["error"]["err_code"].as_u64() {
            None => {}
            Some(STREAM_NOT_FOUND) if self.setup == Setup::Asked => {
                self.request("CREATE", &self.wanted(), out);
                return Ok(());
            }
            Some(STREAM_NOT_FOUND) => return Err(WireError::AnotherStream(self.name.clone())),
            Some(STREAM_NAME_IN_USE) => {
                // Another process has made the stream first.
                self.request_info(out);
                return Ok(());
            }
            Some(NOT_ENABLED | NOT_ENABLED_FOR_ACCOUNT) => return Err(WireError::NoJetStream),
            Some(_) => {
                let (name, problem) = (&self.name, description(json));
                return Err(WireError::Refused(format!("{problem} (stream {name})")));
            }
        }
        let created = json["created"].as_str().unwrap_or_default();
        if let Some(before) = &self.created
            && before != created
        {
            return Err(WireError::AnotherStream(self.name.clone()));
        }
        if self.setup == Setup::Asked {
            let changed = self.changed(&json["config"]);
            if changed != json["config"] {
                self.request("UPDATE", &changed, out);
                return Ok(());
            }
        }
        let digest = Sha256::digest(created.as_bytes());
        let first = digest.first_chunk().copied().unwrap_or_default();
        self.epoch = u64::from_be_bytes(first);
        self.created = Some(created.to_string());
        self.setup = Setup::Done;
        Ok(())
    }

    /// The configuration of a new stream.
    fn wanted(&self) -> Value {
        self.changed(&json!({
            "name": self.name,
            "retention": "limits",
            "storage": "file",
            "num_replicas": 1,
        }))
    }

    /// The configuration of an existing stream, changed as far as this crate needs it.
    fn changed(&self, config: &Value) -> Value {
        let mut config = config.clone();
        let source = self.subject_of_token("*");
        let age = nanoseconds(self.recording.ttl);
        // One message more than is kept, so that the message at the position is there even for a
        // process that has missed that many.
        let most = i64::try_from(self.recording.size).map_or(i64::MAX, |it| it + 1);
        let target = self.target();
        config["subjects"] = json!([source]);
        config["discard"] = json!("old");
        config["max_msgs_per_subject"] = json!(most);
        config["max_age"] = json!(age);
        if config["duplicate_window"]
            .as_u64()
            .is_some_and(|it| it > age)
        {
            config["duplicate_window"] = json!(age);
        }
        let republish = &config["republish"];
        if republish["src"] != json!(source) || republish["dest"] != json!(target) {
            config["republish"] = json!({ "src": source, "dest": target });
        }
        config
    }

    fn target(&self) -> String {
        let mut target = String::new();
        names::write_token(&mut target, &self.prefix);
        target + ".{{wildcard(1)}}"
    }

    fn subject(&self, topic: &str) -> String {
        let mut token = String::new();
        names::write_token(&mut token, topic);
        self.subject_of_token(&token)
    }

    fn subject_of_token(&self, token: &str) -> String {
        let mut subject = String::new();
        names::write_token(&mut subject, &self.prefix);
        subject + ".h." + token
    }

    fn position(&self, offset: u64) -> Position {
        let epoch = self.epoch;
        Position { epoch, offset }
    }

    fn set_mark(&self, number: u64, topic: &str, out: &mut Vec<u8>) {
        let (subject, inbox) = (self.subject(topic), &self.inbox);
        let header = "NATS/1.0\r\nDuplex-Type: mark\r\n\r\n";
        let length = header.len();
        let command = format!("HPUB {subject} {inbox}.r{number} {length} {length}\r\n{header}\r\n");
        out.extend_from_slice(command.as_bytes());
    }

    /// Requests the first message after a position.
    fn get_next(&self, number: u64, topic: &str, behind: Position, out: &mut Vec<u8>) {
        let subject = self.subject(topic);
        let question = json!({ "seq": behind.offset + 1, "next_by_subj": subject });
        self.get(number, &question, out);
    }

    fn get(&self, number: u64, question: &Value, out: &mut Vec<u8>) {
        let subject = format!("$JS.API.STREAM.MSG.GET.{}", self.name);
        self.publish(&subject, &format!("r{number}"), &question.to_string(), out);
    }

    fn request_info(&self, out: &mut Vec<u8>) {
        let subject = format!("$JS.API.STREAM.INFO.{}", self.name);
        self.publish(&subject, "s", "", out);
    }

    fn request(&self, what: &str, config: &Value, out: &mut Vec<u8>) {
        let subject = format!("$JS.API.STREAM.{what}.{}", self.name);
        self.publish(&subject, "s", &config.to_string(), out);
    }

    fn publish(&self, subject: &str, token: &str, payload: &str, out: &mut Vec<u8>) {
        let (inbox, length) = (&self.inbox, payload.len());
        let command = format!("PUB {subject} {inbox}.{token} {length}\r\n{payload}\r\n");
        out.extend_from_slice(command.as_bytes());
    }
}

fn description(json: &Value) -> String {
    let description = json["error"]["description"].as_str();
    description
        .unwrap_or("JetStream does not say why")
        .to_string()
}

fn unreadable() -> Answer {
    Answer::Refused("a message of the stream cannot be read".to_string())
}

/// The age in the form of JetStream: in nanoseconds, at least 100 ms.
fn nanoseconds(ttl: Duration) -> u64 {
    let ttl = ttl.clamp(Duration::from_millis(100), LONGEST_TTL);
    u64::try_from(ttl.as_nanos()).unwrap_or(u64::MAX)
}

/// Appends the command that records a message. The answer comes to the inbox with the `number`.
pub(crate) fn write_record(
    out: &mut Vec<u8>,
    subject: &str,
    inbox: &str,
    number: u64,
    message: &Recordable<'_>,
) {
    let mut digits = [0; 20];
    let tag = decimal(usize::try_from(message.tag).unwrap_or(0), &mut digits);
    let node = hexadecimal(message.node);
    let kind = if message.is_text {
        ""
    } else {
        "Duplex-Type: binary\r\n"
    };
    let header: [&[u8]; 6] = [
        b"NATS/1.0\r\nDuplex-From: ",
        &node,
        b".",
        tag,
        b"\r\n",
        kind.as_bytes(),
    ];
    let length = header.iter().map(|it| it.len()).sum::<usize>() + 2;
    out.reserve(subject.len() + inbox.len() + length + message.payload.len() + 80);
    let mut digits = [[0; 20]; 3];
    let [number_digits, length_digits, total_digits] = &mut digits;
    let command: [&[u8]; 9] = [
        b"HPUB ",
        subject.as_bytes(),
        b" ",
        inbox.as_bytes(),
        b".p",
        decimal(usize::try_from(number).unwrap_or(0), number_digits),
        b" ",
        decimal(length, length_digits),
        b" ",
    ];
    let total = decimal(length + message.payload.len(), total_digits);
    for part in command.into_iter().chain([total, b"\r\n"]).chain(header) {
        out.extend_from_slice(part);
    }
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(message.payload);
    out.extend_from_slice(b"\r\n");
}

/// The longest header of a recorded message, in bytes.
pub(crate) const LONGEST_HEADER: usize = 10 + 13 + 16 + 1 + 20 + 2 + 21 + 2;

/// The subscription of the inbox. No topic has this number.
pub(crate) const INBOX_ID: u64 = 0;

// The numbers of JetStream's errors (github.com/nats-io/nats-server, server/errors.json).
const STREAM_NOT_FOUND: u64 = 10_059;
const STREAM_NAME_IN_USE: u64 = 10_058;
const NOT_ENABLED: u64 = 10_076;
const NOT_ENABLED_FOR_ACCOUNT: u64 = 10_039;

const LONGEST_TTL: Duration = Duration::from_secs(100 * 366 * 24 * 60 * 60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_recorded_has_a_sender_and_headers_of_the_right_length() {
        let mut out = Vec::new();
        let mut message = Recordable {
            payload: b"hello",
            is_text: true,
            node: 0xabc,
            tag: 17,
        };
        write_record(&mut out, "app.h.room", "_INBOX.x", 5, &message);
        let header = "NATS/1.0\r\nDuplex-From: 0000000000000abc.17\r\n\r\n";
        let (length, total) = (header.len(), header.len() + 5);
        let expected = format!("HPUB app.h.room _INBOX.x.p5 {length} {total}\r\n{header}hello\r\n");
        assert_eq!(String::from_utf8(out).unwrap(), expected);

        let mut out = Vec::new();
        (message.is_text, message.tag, message.node) = (false, u64::MAX, u64::MAX);
        write_record(&mut out, "app.h.room", "_INBOX.x", 5, &message);
        let start = out.windows(5).position(|it| it == b"NATS/").unwrap();
        let header = &out[start..out.len() - b"hello\r\n".len()];
        assert!(header.len() <= LONGEST_HEADER);
        let headers = Headers::parse(header);
        assert!(headers.is_binary && !headers.is_mark);
        assert_eq!(headers.tag(u64::MAX), Some(u64::MAX));
        assert_eq!(headers.tag(1), None);
    }

    #[test]
    fn headers_of_the_stream_and_of_its_absence() {
        let headers = Headers::parse(
            b"NATS/1.0\r\nnats-stream: duplex_app\r\nNats-Sequence: 7\r\n\
              Nats-Last-Sequence: 5\r\nDuplex-From: x\r\n\r\n",
        );
        assert_eq!(headers.stream, Some("duplex_app"));
        assert_eq!(
            (headers.sequence, headers.last_sequence),
            (Some(7), Some(5))
        );
        assert_eq!((headers.from, headers.status), (None, None));
        assert_eq!(Headers::parse(b"NATS/1.0 503\r\n\r\n").status, Some(503));
        assert_eq!(Headers::parse(b"\xff").status, None);
    }
}
