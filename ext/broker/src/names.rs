//! Topics as subjects of NATS and channels of Redis. A topic is any text.

use std::fmt::Write;

use sha2::{Digest, Sha256};

/// Appends the subject of a topic: the prefix, a dot and one token. Letters, digits and
/// `-_~:@=+,;!$&()'/` stay. All other bytes become `%` and two digits. Therefore no subject
/// contains a wildcard or ends a command, and no two topics have the same subject. The name of a
/// long topic is `%h` and its SHA-256, because NATS servers accept commands of at most 4 KiB.
pub(crate) fn write_subject(out: &mut String, prefix: &str, topic: &str) {
    write_token(out, prefix);
    out.push('.');
    write_token(out, topic);
}

/// Appends one token of a subject.
pub(crate) fn write_token(out: &mut String, text: &str) {
    if text.is_empty() {
        // No other text becomes `%e`, because `e` in lower case is not one of
        // the digits.
        out.push_str("%e");
        return;
    }
    if text.len() > LONGEST {
        out.push_str("%h");
        for byte in Sha256::digest(text.as_bytes()) {
            let _ = write!(out, "{byte:02x}");
        }
        return;
    }
    for &byte in text.as_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => out.push(char::from(byte)),
            _ if b"-_~:@=+,;!$&()'/".contains(&byte) => out.push(char::from(byte)),
            _ => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
}

/// Appends the subject to which recorded messages of a topic are published.
pub(crate) fn write_recorded_subject(out: &mut String, prefix: &str, topic: &str) {
    write_token(out, prefix);
    out.push_str(".h.");
    write_token(out, topic);
}

/// The name of the stream of JetStream for the topics of a prefix. Letters, digits and hyphens
/// stay. All other bytes become `_` and two digits.
pub(crate) fn stream(prefix: &str) -> String {
    let mut name = "duplex_".to_string();
    for &byte in prefix.as_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' => name.push(char::from(byte)),
            _ => {
                let _ = write!(name, "_{byte:02X}");
            }
        }
    }
    if name.len() > LONGEST_STREAM {
        name = "duplex__h".to_string();
        for byte in Sha256::digest(prefix.as_bytes()) {
            let _ = write!(name, "{byte:02x}");
        }
    }
    name
}

/// The prefix of the subjects on which a process gets answers.
pub(crate) fn inbox(node: u64) -> String {
    format!("_INBOX.duplex-{node:016x}")
}

/// Appends the channel of a topic: the prefix, a colon and the unchanged topic. `SUBSCRIBE` has no
/// wildcards, and a name may contain any byte.
pub(crate) fn write_channel(out: &mut String, prefix: &str, topic: &str) {
    out.push_str(prefix);
    out.push(':');
    out.push_str(topic);
}

/// The longest topic that is not hashed, in bytes. Encoding may make three bytes of each.
const LONGEST: usize = 512;
/// The longest name of a stream, in bytes. The server also uses the name for a
/// folder.
const LONGEST_STREAM: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    fn subject(topic: &str) -> String {
        let mut subject = String::new();
        write_subject(&mut subject, "app", topic);
        subject
    }

    #[test]
    fn topics_become_one_token() {
        for (topic, expected) in [
            ("room", "app.room"),
            ("room-1/chat:a@b", "app.room-1/chat:a@b"),
            ("a.b", "app.a%2Eb"),
            ("*", "app.%2A"),
            (">", "app.%3E"),
            ("a b\r\n\t\0", "app.a%20b%0D%0A%09%00"),
            ("%2A", "app.%252A"),
            ("é", "app.%C3%A9"),
            ("", "app.%e"),
        ] {
            assert_eq!(subject(topic), expected);
        }
    }

    #[test]
    fn streams_have_names_that_a_folder_may_have() {
        assert_eq!(stream("app"), "duplex_app");
        assert_eq!(stream("a.b/c_d"), "duplex_a_2Eb_2Fc_5Fd");
        assert!(stream(&"*".repeat(100)).len() < 80);
        assert_ne!(stream(&"*".repeat(100)), stream(&"*".repeat(101)));
    }

    #[test]
    fn long_topics_have_short_subjects() {
        let long = subject(&"x".repeat(4096));
        assert_eq!(long.len(), "app.%h".len() + 64);
        assert_ne!(long, subject(&"x".repeat(4097)));
        assert!(subject(&"*".repeat(512)).len() < 2048);
    }
}
