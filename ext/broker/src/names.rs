//! Topics as subjects of NATS and channels of Redis. A topic is any text.

use std::fmt::Write;

use sha2::{Digest, Sha256};

/// Appends the subject of a topic: the prefix, a dot and one token. Letters, digits and
/// `-_~:@=+,;!$&()'/` stay, all other bytes become `%` and two digits: so no topic has a
/// wildcard in it or ends a command, and no two have the same subject. The name of a long
/// topic is `%h` and its SHA-256: NATS servers take commands of 4 KiB.
pub(crate) fn write_subject(out: &mut String, prefix: &str, topic: &str) {
    write_token(out, prefix);
    out.push('.');
    write_token(out, topic);
}

/// Appends one token of a subject.
pub(crate) fn write_token(out: &mut String, text: &str) {
    if text.is_empty() {
        // Not what any other text becomes: `e` is no digit of the ones used.
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

/// Appends the subject to which messages of a topic are published that are recorded.
pub(crate) fn write_recorded_subject(out: &mut String, prefix: &str, topic: &str) {
    write_token(out, prefix);
    out.push_str(".h.");
    write_token(out, topic);
}

/// The stream of JetStream that has the topics of a prefix. Letters, digits and hyphens stay,
/// all other bytes become `_` and two digits.
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

/// What the subjects begin with to which a process is answered.
pub(crate) fn inbox(node: u64) -> String {
    format!("_INBOX.duplex-{node:016x}")
}

/// Appends the channel of a topic: the prefix, a colon and the topic as it is. `SUBSCRIBE`
/// knows no wildcards, and a name may hold any byte.
pub(crate) fn write_channel(out: &mut String, prefix: &str, topic: &str) {
    out.push_str(prefix);
    out.push(':');
    out.push_str(topic);
}

/// Bytes of a topic that stands in its subject as it is, which may make three of each.
const LONGEST: usize = 512;
/// Bytes of the name of a stream: it is that of a folder too.
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
