//! The client protocol of NATS (docs.nats.io/reference/nats-protocol/client_protocol).

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use bytes::{Buf, BytesMut};
use serde_json::{Value, json};

use crate::address::Address;
use crate::digits::decimal;
use crate::heard::{Heard, WireError};
use crate::names;
use crate::nats_log::{self, Headers, Stream};
use crate::payload::Payload;
use crate::recording::{Ask, Recording};

/// The header of a binary message. A text has no header, so programs in other languages can send
/// texts without one.
pub(crate) const BINARY_HEADER: &[u8] = b"NATS/1.0\r\nDuplex-Type: binary\r\n\r\n";

pub(crate) struct Nats {
    address: Address,
    prefix: String,
    node: u64,
    is_greeted: bool,
    topics: HashMap<u64, Arc<str>>,
    ids: HashMap<Arc<str>, u64>,
    next_id: u64,
    syncs: VecDeque<Sync>,
    unconfirmed: u64,
    /// The logs of the topics, if the broker keeps messages.
    stream: Option<Box<Stream>>,
}

/// The meaning of the next PONG.
struct Sync {
    number: u64,
    /// How many messages were published since the last PING.
    published: u64,
    /// How many messages had been published to the stream.
    recorded: u64,
    has_come: bool,
}

impl Nats {
    pub(crate) fn new(
        address: &Address,
        prefix: &str,
        node: u64,
        recording: Option<Recording>,
    ) -> Self {
        Self {
            address: address.clone(),
            prefix: prefix.to_string(),
            node,
            is_greeted: false,
            topics: HashMap::new(),
            ids: HashMap::new(),
            next_id: PROBE_ID + 1,
            syncs: VecDeque::new(),
            unconfirmed: 0,
            stream: recording.map(|recording| Box::new(Stream::new(prefix, node, recording))),
        }
    }

    pub(crate) fn is_greeted(&self) -> bool {
        self.is_greeted
    }

    pub(crate) fn subscribe(&mut self, topic: &Arc<str>, out: &mut Vec<u8>) {
        let id = self.next_id;
        self.next_id += 1;
        self.topics.insert(id, topic.clone());
        self.ids.insert(topic.clone(), id);
        let mut subject = String::new();
        names::write_subject(&mut subject, &self.prefix, topic);
        out.extend_from_slice(format!("SUB {subject} {id}\r\n").as_bytes());
    }

    pub(crate) fn unsubscribe(&mut self, topic: &str, out: &mut Vec<u8>) {
        if let Some(id) = self.ids.remove(topic) {
            self.topics.remove(&id);
            out.extend_from_slice(format!("UNSUB {id}\r\n").as_bytes());
        }
    }

    pub(crate) fn subscribe_probe(&mut self, out: &mut Vec<u8>) {
        let subject = self.probe_subject();
        out.extend_from_slice(format!("SUB {subject} {PROBE_ID}\r\n").as_bytes());
    }

    pub(crate) fn probe(&mut self, out: &mut Vec<u8>) {
        let subject = self.probe_subject();
        out.extend_from_slice(format!("PUB {subject} 0\r\n\r\n").as_bytes());
    }

    pub(crate) fn sync(&mut self, number: u64, out: &mut Vec<u8>) {
        self.syncs.push_back(Sync {
            number,
            published: std::mem::take(&mut self.unconfirmed),
            recorded: self.stream.as_ref().map_or(0, |it| it.published()),
            has_come: false,
        });
        out.extend_from_slice(b"PING\r\n");
    }

    pub(crate) fn note_published(&mut self, first: u64, count: u64) {
        match &mut self.stream {
            Some(stream) => stream.note_published(first, count),
            None => self.unconfirmed += count,
        }
    }

    /// See [`Wire::ask`](crate::wire::Wire::ask).
    pub(crate) fn ask(&mut self, number: u64, topic: &Arc<str>, ask: Ask, out: &mut Vec<u8>) {
        if let Some(stream) = &mut self.stream {
            stream.ask(number, topic, ask, out);
        }
    }

    /// See [`Wire::check`](crate::wire::Wire::check).
    pub(crate) fn check(&mut self, out: &mut Vec<u8>) {
        if let Some(stream) = &mut self.stream {
            stream.check(out);
        }
    }

    /// The next question that is settled, if there is one.
    fn settled(&mut self) -> Option<Heard> {
        if let Some(stream) = &mut self.stream
            && let Some(answer) = stream.next_answer()
        {
            return Some(answer);
        }
        let sync = self.syncs.front_mut().filter(|it| it.has_come)?;
        if let Some(stream) = &self.stream
            && (!stream.is_ready() || stream.settled() < sync.recorded)
        {
            // The stream confirms its messages separately.
            return None;
        }
        // A PONG also confirms messages, which is told first.
        if sync.published > 0 {
            return Some(Heard::Confirmed(std::mem::take(&mut sync.published)));
        }
        self.syncs.pop_front().map(|it| Heard::Synced(it.number))
    }

    /// See [`Wire::next`](crate::wire::Wire::next).
    pub(crate) fn next(
        &mut self,
        input: &mut BytesMut,
        out: &mut Vec<u8>,
    ) -> Result<Option<Heard>, WireError> {
        loop {
            if let Some(heard) = self.settled() {
                return Ok(Some(heard));
            }
            let Some(length) = line(input)? else {
                return Ok(None);
            };
            let text = std::str::from_utf8(&input[..length])
                .map_err(|_| WireError::Malformed("a line that is not UTF-8"))?;
            let (verb, rest) = text.split_once([' ', '\t']).unwrap_or((text, ""));
            let rest = rest.trim();
            let end = length + 2;
            if verb.eq_ignore_ascii_case("MSG") || verb.eq_ignore_ascii_case("HMSG") {
                let has_headers = verb.len() == 4;
                let parsed = Delivery::parse(rest, has_headers)?;
                if input.len() < end + parsed.total + 2 {
                    // The memory for a long message is reserved at once, so that it need not grow.
                    input.reserve(end + parsed.total + 2 - input.len());
                    return Ok(None);
                }
                let total = parsed.total;
                if &input[end + total..end + total + 2] != b"\r\n" {
                    return Err(WireError::Malformed("a message without its end"));
                }
                let heard = self.message(&parsed, &input[end..end + total], out)?;
                input.advance(end + total + 2);
                match heard {
                    Some(heard) => return Ok(Some(heard)),
                    None => continue,
                }
            }
            let heard = if verb.eq_ignore_ascii_case("PING") {
                out.extend_from_slice(b"PONG\r\n");
                None
            } else if verb.eq_ignore_ascii_case("PONG") {
                if let Some(sync) = self.syncs.iter_mut().find(|it| !it.has_come) {
                    sync.has_come = true;
                }
                None
            } else if verb.eq_ignore_ascii_case("INFO") {
                self.info(rest, out)?
            } else if verb.eq_ignore_ascii_case("-ERR") {
                Some(self.refusal(rest.trim_matches('\''))?)
            } else if verb.eq_ignore_ascii_case("+OK") {
                None
            } else {
                return Err(WireError::Malformed("an unknown word"));
            };
            input.advance(end);
            if heard.is_some() {
                return Ok(heard);
            }
        }
    }

    fn message(
        &mut self,
        delivery: &Delivery<'_>,
        bytes: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<Option<Heard>, WireError> {
        if delivery.id == PROBE_ID {
            return Ok(Some(Heard::Probe));
        }
        let (headers, payload) = bytes.split_at(delivery.headers);
        let headers = Headers::parse(headers);
        if delivery.id == nats_log::INBOX_ID
            && let Some(stream) = &mut self.stream
        {
            return stream.answered(delivery.subject, &headers, payload, out);
        }
        // The message may have been on its way when the subscription ended.
        let Some(topic) = self.topics.get(&delivery.id) else {
            return Ok(None);
        };
        if let Some(stream) = &self.stream
            && let Some(recorded) = stream.recorded(&headers, payload)
        {
            return Ok(Some(Heard::Recorded(topic.clone(), recorded)));
        }
        if headers.is_mark {
            return Ok(None);
        }
        let payload = Payload::of(payload, headers.is_binary);
        Ok(Some(Heard::Message(topic.clone(), payload)))
    }

    fn refusal(&self, message: &str) -> Result<Heard, WireError> {
        let heard = refusal(message)?;
        match (&self.stream, &heard) {
            // The stream does not answer a message that the server has not
            // taken.
            (Some(_), Heard::Refused { lost: 1.., message }) => {
                Err(WireError::Refused(message.clone()))
            }
            _ => Ok(heard),
        }
    }

    /// Handles INFO, which comes first and when something changes.
    fn info(&mut self, json: &str, out: &mut Vec<u8>) -> Result<Option<Heard>, WireError> {
        let info: Value = serde_json::from_str(json)
            .map_err(|_| WireError::Malformed("INFO that is not JSON"))?;
        let says = |name: &str| info[name].as_bool().unwrap_or(false);
        if self.is_greeted {
            return Ok(None);
        }
        let may_secure = says("tls_required") || says("tls_available");
        let must_secure = self.address.is_secure || says("tls_required");
        if must_secure && !may_secure {
            return Err(WireError::NoTls);
        }
        self.greet(must_secure, out);
        let longest = info["max_payload"].as_u64().unwrap_or(u64::MAX);
        Ok(Some(Heard::Ready {
            longest: usize::try_from(longest).unwrap_or(usize::MAX),
            must_secure,
        }))
    }

    fn greet(&mut self, is_secure: bool, out: &mut Vec<u8>) {
        self.is_greeted = true;
        let mut connect = json!({
            "verbose": false,
            "pedantic": false,
            "echo": false,
            "headers": true,
            // With this, the server answers a question to JetStream if it has
            // no JetStream.
            "no_responders": self.stream.is_some(),
            "lang": "rust",
            "version": env!("CARGO_PKG_VERSION"),
            "name": "duplex",
            "protocol": 1,
            "tls_required": is_secure,
        });
        match (&self.address.user, &self.address.password) {
            (Some(token), None) => connect["auth_token"] = json!(token),
            (user, Some(password)) => {
                connect["user"] = json!(user.as_deref().unwrap_or(""));
                connect["pass"] = json!(password);
            }
            (None, None) => {}
        }
        out.extend_from_slice(format!("CONNECT {connect}\r\n").as_bytes());
        if let Some(stream) = &mut self.stream {
            stream.begin(out);
        }
    }

    fn probe_subject(&self) -> String {
        let mut subject = String::new();
        names::write_subject(&mut subject, &self.prefix, "");
        // No topic has a subject of three tokens.
        format!("{subject}.{:016x}", self.node)
    }
}

/// Appends the command that publishes a message.
pub(crate) fn write_publish(out: &mut Vec<u8>, subject: &str, payload: &[u8], is_text: bool) {
    let mut digits = [0; 20];
    out.reserve(subject.len() + payload.len() + BINARY_HEADER.len() + 40);
    if is_text {
        out.extend_from_slice(b"PUB ");
        out.extend_from_slice(subject.as_bytes());
    } else {
        out.extend_from_slice(b"HPUB ");
        out.extend_from_slice(subject.as_bytes());
        out.push(b' ');
        out.extend_from_slice(decimal(BINARY_HEADER.len(), &mut digits));
    }
    let header: &[u8] = if is_text { b"" } else { BINARY_HEADER };
    out.push(b' ');
    out.extend_from_slice(decimal(header.len() + payload.len(), &mut digits));
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(header);
    out.extend_from_slice(payload);
    out.extend_from_slice(b"\r\n");
}

/// The line that announces a message.
struct Delivery<'a> {
    subject: &'a str,
    id: u64,
    /// The bytes of the headers. `total` also includes the payload.
    headers: usize,
    total: usize,
}

impl<'a> Delivery<'a> {
    /// `subject sid [reply-to] [#headers] #total`
    fn parse(text: &'a str, has_headers: bool) -> Result<Self, WireError> {
        let malformed = || WireError::Malformed("the line of a message");
        let words: Vec<&str> = text.split_ascii_whitespace().collect();
        let numbers = if has_headers { 2 } else { 1 };
        if !(2 + numbers..=3 + numbers).contains(&words.len()) {
            return Err(malformed());
        }
        let number = |word: &str| word.parse::<usize>().map_err(|_| malformed());
        let total = number(words[words.len() - 1])?;
        let headers = match has_headers {
            true => number(words[words.len() - 2])?,
            false => 0,
        };
        if headers > total || total > LONGEST_MESSAGE {
            return Err(malformed());
        }
        Ok(Self {
            subject: words[0],
            id: words[1].parse().map_err(|_| malformed())?,
            headers,
            total,
        })
    }
}

/// Interprets a line of `-ERR`.
fn refusal(message: &str) -> Result<Heard, WireError> {
    // Only these errors leave the connection open.
    let is_mild = |start: &str| {
        let message = message.as_bytes();
        (message.get(..start.len())).is_some_and(|it| it.eq_ignore_ascii_case(start.as_bytes()))
    };
    let lost = match message {
        _ if is_mild("Permissions Violation for Publish") => 1,
        _ if is_mild("Invalid Publish Subject") => 1,
        _ if is_mild("Permissions Violation") || is_mild("Invalid Subject") => 0,
        _ => return Err(WireError::Refused(message.to_string())),
    };
    Ok(Heard::Refused {
        message: message.to_string(),
        lost,
    })
}

/// The length of the line at the front of `input`, without its end.
fn line(input: &[u8]) -> Result<Option<usize>, WireError> {
    let end = input.windows(2).position(|pair| pair == b"\r\n");
    match end {
        None if input.len() > LONGEST_LINE => Err(WireError::Malformed("a line without an end")),
        end => Ok(end),
    }
}

/// The subscription of probes.
const PROBE_ID: u64 = 1;
/// The longest line, in bytes. INFO may name many servers.
const LONGEST_LINE: usize = 256 << 10;
/// The longest message, in bytes: more than a NATS server can be set to.
const LONGEST_MESSAGE: usize = 128 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    fn greeted() -> Nats {
        let address = Address::parse("nats://localhost").unwrap();
        let mut nats = Nats::new(&address, "app", 0xabc, None);
        let mut input = BytesMut::from(&b"INFO {\"max_payload\":1048576}\r\n"[..]);
        let mut out = Vec::new();
        let heard = nats.next(&mut input, &mut out).unwrap();
        assert!(matches!(
            heard,
            Some(Heard::Ready {
                longest: 1_048_576,
                must_secure: false
            })
        ));
        assert!(out.starts_with(b"CONNECT {"));
        nats
    }

    fn feed(nats: &mut Nats, input: &[u8]) -> (Vec<Heard>, Vec<u8>) {
        let mut buffer = BytesMut::new();
        let (mut heard, mut out) = (Vec::new(), Vec::new());
        // The input comes byte by byte, because the cuts must not matter.
        for &byte in input {
            buffer.extend_from_slice(&[byte]);
            while let Some(it) = nats.next(&mut buffer, &mut out).unwrap() {
                heard.push(it);
            }
        }
        assert!(buffer.is_empty());
        (heard, out)
    }

    #[test]
    fn messages_come_by_the_number_of_their_subscription() {
        let mut nats = greeted();
        let mut out = Vec::new();
        nats.subscribe(&"a b".into(), &mut out);
        assert_eq!(out, b"SUB app.a%20b 2\r\n");
        let (heard, _) = feed(
            &mut nats,
            b"MSG app.a%20b 2 5\r\nhello\r\nMSG x 2 reply 2\r\n\xff\xfe\r\n\
              HMSG x 2 33 35\r\nNATS/1.0\r\nDuplex-Type: binary\r\n\r\nhi\r\nMSG x 9 0\r\n\r\n",
        );
        let payloads: Vec<_> = heard
            .into_iter()
            .map(|heard| match heard {
                Heard::Message(topic, payload) if &*topic == "a b" => payload,
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(
            payloads,
            [
                Payload::Text("hello".to_string()),
                Payload::Binary(b"\xff\xfe"[..].into()),
                Payload::Binary(b"hi"[..].into()),
            ]
        );
    }

    #[test]
    fn a_pong_confirms_what_was_published_before_its_ping() {
        let mut nats = greeted();
        let mut out = Vec::new();
        nats.note_published(1, 3);
        nats.sync(7, &mut out);
        nats.note_published(4, 2);
        assert_eq!(out, b"PING\r\n");
        let (heard, _) = feed(&mut nats, b"PONG\r\n");
        let [Heard::Confirmed(3), Heard::Synced(7)] = heard[..] else {
            panic!("{heard:?}");
        };
    }

    #[test]
    fn pings_are_answered_and_errors_told() {
        let mut nats = greeted();
        let (heard, out) = feed(
            &mut nats,
            b"PING\r\n+OK\r\n-ERR 'Permissions Violation for Publish to \"a\"'\r\n",
        );
        assert_eq!(out, b"PONG\r\n");
        assert!(matches!(heard[..], [Heard::Refused { lost: 1, .. }]));
        let mut input = BytesMut::from(&b"-ERR 'Authorization Violation'\r\n"[..]);
        let error = nats.next(&mut input, &mut Vec::new()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the broker refuses: Authorization Violation"
        );
    }

    #[test]
    fn nonsense_is_an_error() {
        for input in [
            &b"HELLO\r\n"[..],
            b"MSG a 2\r\n",
            b"MSG a 2 x\r\n",
            b"MSG a b 2\r\n",
            b"HMSG a 2 5 4\r\n",
            b"MSG a 2 99999999999\r\n",
            b"MSG a 2 1\r\nabc",
            b"INFO x\r\n",
            b"\xff\r\n",
        ] {
            let mut nats = greeted();
            let mut buffer = BytesMut::from(input);
            nats.next(&mut buffer, &mut Vec::new()).unwrap_err();
        }
    }

    #[test]
    fn tls_is_not_given_up() {
        let address = Address::parse("tls://localhost").unwrap();
        let mut nats = Nats::new(&address, "app", 1, None);
        let mut input = BytesMut::from(&b"INFO {}\r\n"[..]);
        let error = nats.next(&mut input, &mut Vec::new()).unwrap_err();
        assert!(matches!(error, WireError::NoTls));
    }

    #[test]
    fn publishing() {
        let mut out = Vec::new();
        write_publish(&mut out, "a.b", b"text", true);
        write_publish(&mut out, "a.b", b"\0", false);
        let expected =
            b"PUB a.b 4\r\ntext\r\nHPUB a.b 33 34\r\nNATS/1.0\r\nDuplex-Type: binary\r\n\r\n\0\r\n";
        assert_eq!(
            String::from_utf8_lossy(&out),
            String::from_utf8_lossy(expected)
        );
    }
}
