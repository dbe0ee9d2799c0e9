//! Logs of topics in Redis: a stream and a hash for each topic, which two scripts write and
//! read.
//!
//! The hash has the epoch of the log (`e`) and the offset of its last message (`o`). The stream's
//! entries have the offset as their number, and one field: `t` for a text message or `b` for a
//! binary message. One script records and publishes a message, so all processes receive the
//! messages in the order of their offsets.

use std::fmt::Write as _;
use std::sync::LazyLock;
use std::time::Duration;

use sha1::{Digest, Sha1};

use crate::digits::{decimal, hexadecimal};
use crate::heard::WireError;
use crate::names;
use crate::payload::Payload;
use crate::recording::{Answer, Ask, PAGE, Position, Recordable, Recorded, Recording};
use crate::resp::{Value, command};

/// The start of the envelope before the payload of a recorded message. The envelope is the magic,
/// `t` or `b`, the node's number, the tag, the position and a line end.
const MAGIC: &[u8] = b"\0DX2";
/// The length of the part of the envelope that the publisher writes, in bytes.
pub(crate) const HEAD_LENGTH: usize = MAGIC.len() + 1 + 8 + 8;

pub(crate) struct Script {
    pub source: &'static str,
    hash: String,
}

/// Records and publishes a message. `KEYS`: the hash, the stream. `ARGV`: the epoch for a new log,
/// how many messages are kept, for how many milliseconds they are kept, for how many milliseconds
/// the hash is kept, the channel, the field, the head and the payload. Returns the position.
const PUBLISH: &str = "\
if #KEYS == 0 then return 0 end
local epoch = redis.call('HGET', KEYS[1], 'e')
if not epoch then
  epoch = ARGV[1]
  redis.call('HSET', KEYS[1], 'e', epoch)
  redis.call('DEL', KEYS[2])
end
local offset = string.format('%d', redis.call('HINCRBY', KEYS[1], 'o', 1))
redis.call('XADD', KEYS[2], 'MAXLEN', '=', ARGV[2], offset .. '-0', ARGV[6], ARGV[8])
redis.call('PEXPIRE', KEYS[2], ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
local position = epoch .. '-' .. offset
redis.call('PUBLISH', ARGV[5], ARGV[7] .. position .. '\\n' .. ARGV[8])
return position";

/// Reads a log. `KEYS`: the hash, the stream. `ARGV`: the epoch for a new log, or an empty string,
/// for how many milliseconds the hash is kept, and of the wanted messages the epoch, the first
/// offset and the number. Returns the epoch, the last offset, and of each entry the number, the
/// field and the payload. Returns an empty list if there is no log.
const READ: &str = "\
if #KEYS == 0 then return 0 end
local epoch = redis.call('HGET', KEYS[1], 'e')
if not epoch then
  if ARGV[1] == '' then return {} end
  epoch = ARGV[1]
  redis.call('HSET', KEYS[1], 'e', epoch, 'o', 0)
  redis.call('DEL', KEYS[2])
end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
local answer = { epoch, redis.call('HGET', KEYS[1], 'o') or '0' }
if ARGV[3] == epoch then
  local entries = redis.call('XRANGE', KEYS[2], ARGV[4], '+', 'COUNT', ARGV[5])
  for _, entry in ipairs(entries) do
    answer[#answer + 1] = entry[1]
    answer[#answer + 1] = entry[2][1]
    answer[#answer + 1] = entry[2][2]
  end
end
return answer";

/// Both scripts. The script that publishes comes first.
pub(crate) fn scripts() -> &'static [Script; 2] {
    static SCRIPTS: LazyLock<[Script; 2]> = LazyLock::new(|| {
        [PUBLISH, READ].map(|source| {
            let mut hash = String::new();
            for byte in Sha1::digest(source.as_bytes()) {
                let _ = write!(hash, "{byte:02x}");
            }
            Script { source, hash }
        })
    });
    &SCRIPTS
}

/// The names of a topic in Redis. Their memory is used again.
#[derive(Default)]
pub(crate) struct Names {
    channel: String,
    hash: String,
    stream: String,
}

impl Names {
    /// Sets the names of a topic.
    fn set(&mut self, prefix: &str, topic: &str) {
        let Self {
            channel,
            hash,
            stream,
        } = self;
        for (name, kind) in [(&mut *hash, ":log:"), (stream, ":stream:")] {
            name.clear();
            name.push_str(prefix);
            name.push_str(kind);
            name.push_str(topic);
        }
        channel.clear();
        names::write_channel(channel, prefix, topic);
    }
}

/// Appends the command that records and publishes a message.
pub(crate) fn write_record(
    out: &mut Vec<u8>,
    prefix: &str,
    topic: &str,
    names: &mut Names,
    message: &Recordable<'_>,
    recording: Recording,
) {
    names.set(prefix, topic);
    let mut digits = [[0; 20]; 3];
    let [size, ttl, life] = &mut digits;
    let mut head = [0; HEAD_LENGTH];
    let kind = if message.is_text { b"t" } else { b"b" };
    head[..4].copy_from_slice(MAGIC);
    head[4] = kind[0];
    head[5..13].copy_from_slice(&message.node.to_be_bytes());
    head[13..].copy_from_slice(&message.tag.to_be_bytes());
    out.reserve(message.payload.len() + names.channel.len() * 3 + 320);
    let arguments: [&[u8]; 13] = [
        b"EVALSHA",
        scripts()[0].hash.as_bytes(),
        b"2",
        names.hash.as_bytes(),
        names.stream.as_bytes(),
        &hexadecimal(rand::random()),
        decimal(usize::try_from(recording.size).unwrap_or(usize::MAX), size),
        decimal(milliseconds(recording.ttl), ttl),
        decimal(milliseconds(recording.ttl.max(LEAST_LIFE)), life),
        names.channel.as_bytes(),
        kind,
        &head,
        message.payload,
    ];
    command(out, &arguments);
}

/// Appends the command that reads a log.
pub(crate) fn write_read(
    out: &mut Vec<u8>,
    prefix: &str,
    topic: &str,
    ask: Ask,
    recording: Recording,
) {
    let mut names = Names::default();
    names.set(prefix, topic);
    let life = milliseconds(recording.ttl.max(LEAST_LIFE)).to_string();
    let (begins, epoch, from) = match ask {
        Ask::Position { begins: true } => (new_epoch(), String::new(), String::new()),
        Ask::Position { begins: false } => Default::default(),
        Ask::After { position, .. } => (
            String::new(),
            format!("{:016x}", position.epoch),
            position.offset.saturating_add(1).to_string(),
        ),
    };
    let page = PAGE.to_string();
    let arguments: [&[u8]; 10] = [
        b"EVALSHA",
        scripts()[1].hash.as_bytes(),
        b"2",
        names.hash.as_bytes(),
        names.stream.as_bytes(),
        begins.as_bytes(),
        life.as_bytes(),
        epoch.as_bytes(),
        from.as_bytes(),
        page.as_bytes(),
    ];
    command(out, &arguments);
}

fn new_epoch() -> String {
    format!("{:016x}", rand::random::<u64>())
}

fn milliseconds(time: Duration) -> usize {
    // Redis adds the duration to the current time.
    let time = time.clamp(Duration::from_millis(1), LONGEST_TTL);
    usize::try_from(time.as_millis()).unwrap_or(usize::MAX)
}

/// The position that the first script returns.
pub(crate) fn position(value: &Value<'_>) -> Result<Position, WireError> {
    let Value::Bytes(bytes) = value else {
        return Err(WireError::Malformed("no position"));
    };
    (std::str::from_utf8(bytes).ok())
        .and_then(Position::parse)
        .ok_or(WireError::Malformed("a position"))
}

/// Reads the answer of the second script.
pub(crate) fn answer(value: &Value<'_>, ask: Ask) -> Result<Answer, WireError> {
    let malformed = || WireError::Malformed("the entries of a log");
    let Value::List(values) = value else {
        return Err(malformed());
    };
    let strings = (values.iter())
        .map(|value| match value {
            Value::Bytes(bytes) => Ok(*bytes),
            _ => Err(malformed()),
        })
        .collect::<Result<Vec<_>, _>>()?;
    let text = |bytes| std::str::from_utf8(bytes).map_err(|_| malformed());
    let [epoch, last, entries @ ..] = &strings[..] else {
        return match (ask, strings.is_empty()) {
            (Ask::Position { .. }, true) => Ok(Answer::Nothing),
            (Ask::After { .. }, true) => Ok(Answer::Gone),
            (_, false) => Err(malformed()),
        };
    };
    let last =
        Position::parse(&format!("{}-{}", text(epoch)?, text(last)?)).ok_or_else(malformed)?;
    let Ask::After { position, .. } = ask else {
        return Ok(Answer::Position(last));
    };
    if position.epoch != last.epoch || position.offset > last.offset {
        return Ok(Answer::Gone);
    }
    let mut messages = Vec::with_capacity(entries.len() / 3);
    let mut previous = position.offset;
    for entry in entries.chunks(3) {
        let [number, field, payload] = entry else {
            return Err(malformed());
        };
        let offset: u64 = (text(number)?.split_once('-'))
            .and_then(|(offset, _)| offset.parse().ok())
            .ok_or_else(malformed)?;
        if offset != previous + 1 {
            return Ok(Answer::Gone);
        }
        messages.push(Recorded {
            position: Position { offset, ..position },
            previous,
            tag: None,
            payload: Some(Payload::of(payload, *field == b"b")),
        });
        previous = offset;
    }
    if messages.is_empty() && previous != last.offset {
        return Ok(Answer::Gone);
    }
    Ok(Answer::Messages {
        messages,
        is_end: previous == last.offset,
    })
}

/// A recorded message: its envelope and its payload.
pub(crate) struct LogEnvelope<'a> {
    is_binary: bool,
    node: u64,
    tag: u64,
    position: Position,
    payload: &'a [u8],
}

impl<'a> LogEnvelope<'a> {
    /// Reads a message that has the envelope of recorded messages.
    pub(crate) fn take(data: &'a [u8]) -> Option<Self> {
        let rest = data.strip_prefix(MAGIC)?;
        let (&kind, rest) = rest.split_first()?;
        let (node, rest) = rest.split_first_chunk::<8>()?;
        let (tag, rest) = rest.split_first_chunk::<8>()?;
        let end = rest
            .iter()
            .take(LONGEST_POSITION)
            .position(|&it| it == b'\n')?;
        let position = std::str::from_utf8(&rest[..end]).ok()?;
        Some(Self {
            is_binary: match kind {
                b't' => false,
                b'b' => true,
                _ => return None,
            },
            node: u64::from_be_bytes(*node),
            tag: u64::from_be_bytes(*tag),
            position: Position::parse(position).filter(|it| it.offset > 0)?,
            payload: &rest[end + 1..],
        })
    }

    pub(crate) fn payload(&self) -> Payload {
        Payload::of(self.payload, self.is_binary)
    }

    pub(crate) fn recorded(&self, node: u64) -> Recorded {
        Recorded {
            position: self.position,
            previous: self.position.offset - 1,
            tag: (self.node == node).then_some(self.tag),
            payload: Some(self.payload()),
        }
    }
}

/// The least time that the hash of a topic is kept, so that a subscriber that comes back to a quiet
/// topic sees that it has missed nothing.
const LEAST_LIFE: Duration = Duration::from_secs(24 * 60 * 60);
const LONGEST_TTL: Duration = Duration::from_secs(100 * 366 * 24 * 60 * 60);
/// The epoch, a hyphen, an offset and the line end.
const LONGEST_POSITION: usize = 16 + 1 + 20 + 1;
