//! The Sec-WebSocket-Extensions header (RFC 6455 section 9.1).

use std::borrow::Cow;

use thiserror::Error;

use super::header;

/// One extension of a list: an offer of a client, or an extension that a server
/// accepts.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Extension<'h> {
    /// The registered name, such as `permessage-deflate`: a token.
    pub name: &'h str,
    /// The parameters, in their order.
    pub parameters: Vec<Parameter<'h>>,
}

/// A parameter of an [`Extension`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Parameter<'h> {
    /// The name, a token.
    pub name: &'h str,
    /// The value, if there is one, without its quotes. The value is a token
    /// too.
    pub value: Option<Cow<'h, str>>,
}

/// Reads the value of one header line. If the header has several lines, the
/// list consists of all lines in their order. Empty elements are left out (RFC
/// 9110 section 5.6.1.2).
///
/// # Errors
///
/// [`MalformedExtensions`]: the handshake must fail, on either end.
pub fn parse(value: &[u8]) -> Result<Vec<Extension<'_>>, MalformedExtensions> {
    let mut extensions = Vec::new();
    let mut rest = Cursor(value);
    loop {
        if !matches!(rest.peek(), None | Some(b',')) {
            extensions.push(rest.extension()?);
        }
        match rest.next() {
            None => return Ok(extensions),
            Some(b',') => {}
            Some(_) => return Err(MalformedExtensions),
        }
    }
}

/// The header does not follow its grammar.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("malformed list of extensions")]
pub struct MalformedExtensions;

/// What is left of a header line.
struct Cursor<'h>(&'h [u8]);

impl<'h> Cursor<'h> {
    fn extension(&mut self) -> Result<Extension<'h>, MalformedExtensions> {
        let name = self.token()?;
        let mut parameters = Vec::new();
        while self.take(b';') {
            let name = self.token()?;
            let value = if self.take(b'=') {
                Some(self.value()?)
            } else {
                None
            };
            parameters.push(Parameter { name, value });
        }
        Ok(Extension { name, parameters })
    }

    fn value(&mut self) -> Result<Cow<'h, str>, MalformedExtensions> {
        if !self.take(b'"') {
            return self.token().map(Cow::Borrowed);
        }
        let mut value = Vec::new();
        loop {
            let (byte, rest) = self.0.split_first().ok_or(MalformedExtensions)?;
            self.0 = rest;
            match byte {
                b'"' => break,
                b'\\' => {
                    let (byte, rest) = self.0.split_first().ok_or(MalformedExtensions)?;
                    self.0 = rest;
                    value.push(*byte);
                }
                byte => value.push(*byte),
            }
        }
        // The text between the quotes must be a token, which is ASCII.
        match String::from_utf8(value) {
            Ok(value) if header::is_token(value.as_bytes()) => Ok(Cow::Owned(value)),
            _ => Err(MalformedExtensions),
        }
    }

    fn token(&mut self) -> Result<&'h str, MalformedExtensions> {
        self.skip_space();
        let end = self
            .0
            .iter()
            .position(|byte| !header::is_token(&[*byte]))
            .unwrap_or(self.0.len());
        let (token, rest) = self.0.split_at(end);
        self.0 = rest;
        match str::from_utf8(token) {
            Ok(token) if !token.is_empty() => Ok(token),
            _ => Err(MalformedExtensions),
        }
    }

    /// Takes `byte` if it comes next after white space. Returns whether it did.
    fn take(&mut self, byte: u8) -> bool {
        let comes = self.peek() == Some(byte);
        if comes {
            self.0 = &self.0[1..];
        }
        comes
    }

    /// Takes the next byte after white space.
    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.0 = &self.0[1..];
        Some(byte)
    }

    /// The next byte after white space.
    fn peek(&mut self) -> Option<u8> {
        self.skip_space();
        self.0.first().copied()
    }

    fn skip_space(&mut self) {
        while let [b' ' | b'\t', rest @ ..] = self.0 {
            self.0 = rest;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The list in a plain form.
    fn list(value: &str) -> Result<Vec<String>, MalformedExtensions> {
        let plain = |extension: Extension<'_>| {
            extension
                .parameters
                .iter()
                .fold(
                    extension.name.to_owned(),
                    |plain, parameter| match &parameter.value {
                        Some(value) => format!("{plain};{}={value}", parameter.name),
                        None => format!("{plain};{}", parameter.name),
                    },
                )
        };
        Ok(parse(value.as_bytes())?.into_iter().map(plain).collect())
    }

    #[test]
    fn rfc_examples() {
        // RFC 6455 section 9.1 and RFC 7692 section 7.1.3.
        for (value, expected) in [
            ("foo", &["foo"][..]),
            ("bar; baz=2", &["bar;baz=2"]),
            ("foo, bar; baz=2", &["foo", "bar;baz=2"]),
            (
                "permessage-deflate; client_max_window_bits; server_max_window_bits=10, \
                 permessage-deflate; client_max_window_bits",
                &[
                    "permessage-deflate;client_max_window_bits;server_max_window_bits=10",
                    "permessage-deflate;client_max_window_bits",
                ],
            ),
        ] {
            assert_eq!(list(value).unwrap(), expected);
        }
    }

    #[test]
    fn white_space_and_empty_elements() {
        assert_eq!(list("").unwrap(), [""; 0]);
        assert_eq!(list(" ,\t, ").unwrap(), [""; 0]);
        assert_eq!(
            list(",a\t;b = 1 ; c ,, d ,").unwrap(),
            ["a;b=1;c", "d"].map(str::to_owned)
        );
    }

    #[test]
    fn quoted_values() {
        assert_eq!(list("a; b=\"10\"").unwrap(), ["a;b=10"]);
        assert_eq!(list("a; b=\"1\\0\" , c").unwrap(), ["a;b=10", "c"]);
        for bad in [
            "a; b=\"",
            "a; b=\"1",
            "a; b=\"1\\",
            "a; b=\"\"",
            "a; b=\"1 0\"",
            "a; b=\"1,0\"",
            "a; b=\"\u{e9}\"",
            "a; b=\"1\"0",
        ] {
            assert_eq!(list(bad), Err(MalformedExtensions), "{bad}");
        }
    }

    #[test]
    fn malformed() {
        for bad in [
            "a b", "a;", "a;;b", ";a", "a; =1", "a; b=", "a; b=,", "a=1", "a; b=1=2", "\"a\"",
            "\u{e9}", "a; b c", "a/b",
        ] {
            assert_eq!(list(bad), Err(MalformedExtensions), "{bad}");
        }
    }
}
