//! The encoding of Redis: commands, and values of RESP3.

use crate::digits::decimal;
use crate::heard::WireError;

/// Appends a command: an array of strings.
pub(crate) fn command(out: &mut Vec<u8>, arguments: &[&[u8]]) {
    let mut digits = [0; 20];
    out.push(b'*');
    out.extend_from_slice(decimal(arguments.len(), &mut digits));
    for argument in arguments {
        out.extend_from_slice(b"\r\n$");
        out.extend_from_slice(decimal(argument.len(), &mut digits));
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(argument);
    }
    out.extend_from_slice(b"\r\n");
}

/// A value of a reply, as far as this crate needs it.
#[derive(Debug, PartialEq)]
pub(crate) enum Value<'a> {
    /// A string of any kind.
    Bytes(&'a [u8]),
    Error(&'a [u8]),
    /// A push message, which is not a reply.
    Push(Vec<Value<'a>>),
    List(Vec<Value<'a>>),
    /// A number, null, a map, or any other value.
    Other,
}

/// Reads values from the front of the received bytes.
pub(crate) struct Reader<'a> {
    pub input: &'a [u8],
    /// How many bytes have been read.
    pub at: usize,
    /// How many bytes of a string have not come yet.
    pub missing: usize,
}

impl<'a> Reader<'a> {
    /// The next value, or `None` if bytes are missing. `depth` is the number of
    /// lists around the value.
    pub(crate) fn value(&mut self, depth: u32) -> Result<Option<Value<'a>>, WireError> {
        if depth > MAX_DEPTH {
            return Err(WireError::Malformed("lists in lists"));
        }
        let Some(line) = self.line()? else {
            return Ok(None);
        };
        let Some((&kind, rest)) = line.split_first() else {
            return Err(WireError::Malformed("an empty line"));
        };
        Ok(Some(match kind {
            b'+' => Value::Bytes(rest),
            b'-' => Value::Error(rest),
            b':' | b'_' | b',' | b'#' | b'(' => Value::Other,
            b'$' | b'=' | b'!' => {
                let Some(length) = length(rest, LONGEST)? else {
                    return Ok(Some(Value::Other));
                };
                let Some(bytes) = self.input.get(self.at..self.at + length + 2) else {
                    self.missing = self.at + length + 2 - self.input.len();
                    return Ok(None);
                };
                if !bytes.ends_with(b"\r\n") {
                    return Err(WireError::Malformed("a string without its end"));
                }
                self.at += length + 2;
                match kind {
                    b'!' => Value::Error(&bytes[..length]),
                    _ => Value::Bytes(&bytes[..length]),
                }
            }
            b'*' | b'>' | b'~' | b'%' | b'|' => {
                let per_entry = if matches!(kind, b'%' | b'|') { 2 } else { 1 };
                let count = length(rest, MAX_ELEMENTS)?.unwrap_or(0) * per_entry;
                let mut elements = Vec::new();
                for _ in 0..count {
                    match self.value(depth + 1)? {
                        Some(element) => elements.push(element),
                        None => return Ok(None),
                    }
                }
                match kind {
                    b'>' => Value::Push(elements),
                    b'*' => Value::List(elements),
                    // Attributes come before the value that they belong to.
                    b'|' => return self.value(depth + 1),
                    _ => Value::Other,
                }
            }
            _ => return Err(WireError::Malformed("an unknown kind of reply")),
        }))
    }

    fn line(&mut self) -> Result<Option<&'a [u8]>, WireError> {
        let rest = &self.input[self.at..];
        match rest.windows(2).position(|pair| pair == b"\r\n") {
            Some(end) => {
                self.at += end + 2;
                Ok(Some(&rest[..end]))
            }
            None if rest.len() > LONGEST_LINE => Err(WireError::Malformed("a line without an end")),
            None => Ok(None),
        }
    }
}

/// Reads a length. Returns `None` for -1.
fn length(digits: &[u8], most: usize) -> Result<Option<usize>, WireError> {
    let malformed = || WireError::Malformed("a length");
    if digits == b"-1" {
        return Ok(None);
    }
    let digits = std::str::from_utf8(digits).map_err(|_| malformed())?;
    match digits.parse::<usize>() {
        Ok(length) if length <= most => Ok(Some(length)),
        _ => Err(malformed()),
    }
}

/// The longest string that Redis accepts by default, in bytes.
pub(crate) const LONGEST: usize = 512 << 20;
const LONGEST_LINE: usize = 64 << 10;
/// The limits for replies. No reply to the commands of this crate comes near
/// them.
const MAX_ELEMENTS: usize = 1024;
const MAX_DEPTH: u32 = 8;
