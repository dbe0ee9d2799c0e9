//! The messages, and the bytes that carry them.

use bytes::Bytes;
use duplex_protocol::encoder::{encode_binary, encode_text};
use duplex_protocol::frame::Role;

/// The kind of contents of a message.
#[derive(Clone, Copy, PartialEq)]
pub enum Kind {
    /// JSON in ASCII.
    Text,
    /// Text in which every eighth character is not ASCII.
    Accented,
    /// Bytes without a pattern.
    Binary,
}

impl Kind {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Accented => "text, not ASCII",
            Self::Binary => "binary",
        }
    }

    pub fn is_text(self) -> bool {
        self != Self::Binary
    }
}

/// Messages of one kind and length that are received or sent together.
pub struct Sample {
    pub kind: Kind,
    pub length: usize,
    pub messages: Vec<Bytes>,
}

impl Sample {
    /// As many messages as fit into `burst` bytes, but at least one.
    pub fn new(kind: Kind, length: usize, burst: usize) -> Self {
        let count = (burst / length).max(1);
        let messages = (0..count).map(|i| message(kind, length, i as u32));
        Self {
            kind,
            length,
            messages: messages.collect(),
        }
    }

    pub fn count(&self) -> usize {
        self.messages.len()
    }

    pub fn bytes(&self) -> usize {
        self.count() * self.length
    }

    /// The messages as `receiver` receives them, each in one frame. To a server, each frame has a
    /// masking key that cannot be predicted.
    pub fn wire(&self, receiver: Role) -> Vec<u8> {
        let mut wire = Vec::new();
        for message in &self.messages {
            let key = (receiver == Role::Server).then(rand::random);
            match self.kind {
                Kind::Binary => encode_binary(&mut wire, key, message),
                _ => encode_text(&mut wire, key, text(message)),
            }
        }
        wire
    }
}

pub fn text(message: &Bytes) -> &str {
    str::from_utf8(message).expect("made from text")
}

fn message(kind: Kind, length: usize, number: u32) -> Bytes {
    match kind {
        Kind::Binary => (0..length).map(|_| rand::random::<u8>()).collect(),
        Kind::Text => json(length, number).into(),
        Kind::Accented => {
            let mut text: String = json(length, number)
                .chars()
                .enumerate()
                .map(|(i, char)| if i % 8 == 7 { 'é' } else { char })
                .collect();
            text.truncate(text.floor_char_boundary(length));
            // The text gets the same length as the others.
            text.extend((text.len()..length).map(|_| '.'));
            text.into()
        }
    }
}

/// Trades, as a feed sends them.
fn json(length: usize, number: u32) -> String {
    let mut text = String::with_capacity(length + 100);
    let mut seed = number;
    while text.len() < length {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        text.push_str(&format!(
            r#"{{"type":"trade","id":{seed},"price":{}.{:02},"side":"{}"}},"#,
            seed % 997,
            seed % 100,
            if seed & 256 == 0 { "buy" } else { "sell" }
        ));
    }
    text.truncate(length);
    text
}
