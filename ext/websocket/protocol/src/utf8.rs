//! Checks of UTF-8 while the text arrives (RFC 6455 section 8.1).
//!
//! A text message may be cut anywhere, even in the middle of a character. The
//! check finds an invalid byte when the byte arrives, and not when the message
//! ends.

use thiserror::Error;

/// Checks text that grows in a buffer.
///
/// The start of a character whose rest has not come yet (at most three bytes)
/// stays in the buffer, and the next check starts there.
#[derive(Clone, Copy, Debug)]
pub struct Validator {
    /// The end of the last complete character.
    checked: usize,
    is_ascii: bool,
}

impl Validator {
    /// A validator for an empty buffer.
    pub const fn new() -> Self {
        Self {
            checked: 0,
            is_ascii: true,
        }
    }

    /// Checks the bytes that were appended to `text` since the last call.
    ///
    /// # Errors
    ///
    /// [`InvalidUtf8`] if no continuation makes `text` valid.
    pub fn advance(&mut self, text: &[u8]) -> Result<(), InvalidUtf8> {
        let fresh = text.get(self.checked..).unwrap_or_default();
        if fresh.is_ascii() {
            self.checked += fresh.len();
            return Ok(());
        }
        self.is_ascii = false;
        self.checked += complete_prefix(fresh)?;
        Ok(())
    }

    /// Like [`advance`](Self::advance), if the last `appended` bytes of `text`
    /// are new and known to be ASCII.
    pub(crate) fn advance_ascii(
        &mut self,
        text: &[u8],
        appended: usize,
    ) -> Result<(), InvalidUtf8> {
        if self.checked + appended == text.len() {
            self.checked = text.len();
            return Ok(());
        }
        // The new bytes follow the start of a character.
        self.advance(text)
    }

    /// Checks that `text`, all of which has been seen by
    /// [`advance`](Self::advance), does not end inside a character.
    ///
    /// # Errors
    ///
    /// [`InvalidUtf8`] if `text` ends inside a character.
    pub fn finish(&self, text: &[u8]) -> Result<(), InvalidUtf8> {
        if self.checked == text.len() {
            Ok(())
        } else {
            Err(InvalidUtf8)
        }
    }

    /// Whether all that was checked is ASCII.
    pub const fn is_ascii(&self) -> bool {
        self.is_ascii
    }
}

impl Default for Validator {
    fn default() -> Self {
        Self::new()
    }
}

/// The text is not UTF-8, and no continuation makes the text valid.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("text is not valid UTF-8")]
pub struct InvalidUtf8;

/// The length of `bytes` up to the last complete character. The bytes after
/// that length are the start of a character: at most three bytes.
///
/// # Errors
///
/// [`InvalidUtf8`] if no valid text starts with `bytes`.
pub fn complete_prefix(bytes: &[u8]) -> Result<usize, InvalidUtf8> {
    match simdutf8::compat::from_utf8(bytes) {
        Ok(_) => Ok(bytes.len()),
        Err(error) if error.error_len().is_none() => Ok(error.valid_up_to()),
        Err(_) => Err(InvalidUtf8),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds `text` in pieces of `step` bytes. Returns whether it is valid, and
    /// how many bytes had been fed when that was known.
    fn feed(text: &[u8], step: usize) -> (bool, usize) {
        let mut validator = Validator::new();
        let mut fed = 0;
        while fed < text.len() {
            fed = (fed + step).min(text.len());
            if validator.advance(&text[..fed]).is_err() {
                return (false, fed);
            }
        }
        (validator.finish(text).is_ok(), fed)
    }

    #[test]
    fn valid_in_any_pieces() {
        let text = "plain \u{e9} \u{20ac} \u{1f600} \u{10ffff} ".repeat(20);
        for step in 1..=text.len() {
            assert_eq!(feed(text.as_bytes(), step), (true, text.len()));
        }
    }

    #[test]
    fn ascii_is_known() {
        let mut validator = Validator::new();
        validator.advance(b"plain").unwrap();
        assert!(validator.is_ascii());
        validator.advance(b"plain\xc3").unwrap();
        assert!(!validator.is_ascii());
        validator.advance("plain\u{e9}".as_bytes()).unwrap();
        validator.advance("plain\u{e9} again".as_bytes()).unwrap();
        validator.finish("plain\u{e9} again".as_bytes()).unwrap();
        assert!(!validator.is_ascii());
    }

    #[test]
    fn every_invalid_start_fails_at_its_byte() {
        // The last byte of each text is the first invalid byte.
        for bad in [
            &b"\x80"[..],
            b"\xbf",
            b"\xc0",
            b"\xc1",
            b"\xc3\x41",
            b"\xe0\x9f",
            b"\xe2\x82\x20",
            b"\xed\xa0",
            b"\xf0\x8f",
            b"\xf0\x9f\x98\xc0",
            b"\xf4\x90",
            b"\xf5",
            b"\xff",
        ] {
            for prefix in ["", "ascii", "\u{20ac}", &"long ".repeat(40)] {
                let mut text = prefix.as_bytes().to_vec();
                text.extend_from_slice(bad);
                let failed_at = text.len();
                text.extend_from_slice(b"more");
                assert_eq!(feed(&text, 1), (false, failed_at), "{bad:x?}");
                assert!(!feed(&text, text.len()).0);
            }
        }
    }

    #[test]
    fn an_end_inside_a_character_is_invalid() {
        for cut in ["\u{e9}", "\u{20ac}", "\u{1f600}"] {
            for len in 1..cut.len() {
                let (valid, fed) = feed(&cut.as_bytes()[..len], 1);
                assert_eq!((valid, fed), (false, len));
            }
        }
    }
}
